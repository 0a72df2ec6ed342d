"""The same package behind LitServe, one worker."""

import sys
from typing import Any

import litserve

from tests.benchmarks.peers.engine import load_engine


class Ner(litserve.LitAPI):
    """One model, one route."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the package."""
        self._tagger = load_engine()

    def decode_request(self, request: dict[str, Any], **_: Any) -> str:
        """The text."""
        return str(request["text"])

    def predict(self, text: str, **_: Any) -> Any:
        """The spans."""
        return self._tagger.tag([text])[0].spans

    def encode_response(self, spans: Any, **_: Any) -> dict[str, Any]:
        """The answer."""
        return {"entities": [{"label": one.label, "start": one.start, "end": one.end} for one in spans]}


if __name__ == "__main__":
    server = litserve.LitServer(Ner(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
