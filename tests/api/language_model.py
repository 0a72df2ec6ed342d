"""A stand-in for an OpenAI-compatible server, as a process of its own: it answers rightly, wrongly, slowly or in part.

python tests/api/language_model.py    prints its port, and answers until its standard input ends
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def entity(text: str, label: str, context: str = "") -> dict[str, str]:
    return {"text": text, "label": label, "context": context or text}


RIGHT = [entity("Ada", "per"), entity("Oslo", "geo", "Oslo, ")]
WRONG = [
    entity("Berlin", "geo"),  # is not in the text
    entity("Oslo", "geo", "Oslo"),  # stands twice, and so does its context
    entity("Ada", "planet"),  # no label of the dataset
    entity("d", "per"),  # inside a word
    {"text": 7},
    "Ada",
    entity("Ada", "per"),
]


class Answers(BaseHTTPRequestHandler):
    """One way to behave for each name of a model."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"key": self.headers["Authorization"], **asked})  # type: ignore[attr-defined]
        behave = getattr(self, f"_{asked['model']}")
        behave()

    def do_GET(self) -> None:
        self._send(200, json.dumps(self.server.asked))  # type: ignore[attr-defined]

    def _right(self) -> None:
        self._say(RIGHT)

    def _wrong(self) -> None:
        self._say(WRONG)

    def _slow(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    def _partial(self) -> None:
        self._say(RIGHT, finish="length")

    def _prose(self) -> None:
        self._send(200, json.dumps({"choices": [{"message": {"content": "There is Ada in Oslo."}}]}))

    def _broken(self) -> None:
        self._send(200, '{"choices": [')

    def _refusing(self) -> None:
        self._send(429, "{}")

    def _endless(self) -> None:
        self._send(200, json.dumps({"choices": "x" * 3 * 2**20}))

    def _say(self, entities: list[object], finish: str = "stop") -> None:
        message = {"role": "assistant", "content": json.dumps({"entities": entities})}
        usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        self._send(200, json.dumps({"choices": [choice], "usage": usage}))

    def _send(self, status: int, content: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        try:
            self.wfile.write(content.encode())
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        return


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
