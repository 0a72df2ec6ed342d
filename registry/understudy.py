"""A version in a process of its own, which may crash or hang without anybody's harm.

`Understudy` starts `python -m registry.understudy FOLDER SOCKET` and asks it for answers. The two speak JSON, each
message after its length in four bytes. The process gives way to everything else on the machine (nice 10), and ends
when whoever started it is gone.
"""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from ner.errors import NerError
from ner.predictions import Tagged, Tagger
from registry.taggers import load_tagger

MODULE = "registry.understudy"
_NICE = 10
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, Linux
_LENGTH = struct.Struct("!I")
_STARTING_SECONDS = 120.0


class UnderstudyFailed(NerError):
    """The process crashed, hung, or said something that is no answer."""

    kind = "failed"


class Understudy:
    """The version in `folder`, in a process of its own. Belongs to one thread. Raises UnderstudyFailed."""

    def __init__(self, folder: Path, module: str = MODULE) -> None:
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-m", module, str(folder), str(theirs.fileno())]
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=os.environ | one_thread
        )
        theirs.close()
        try:
            self._receive(time.monotonic() + _STARTING_SECONDS)
        except UnderstudyFailed:
            self.close()
            raise

    def answer(self, texts: Sequence[str], *, timeout_seconds: float) -> list[dict[str, Any] | None]:
        """For each text {"spans": [[start, end, label, confidence]], "expected": entities or None}, or None where the
        version fails at it. After UnderstudyFailed only `close` is of use.
        """
        deadline = time.monotonic() + timeout_seconds
        body = orjson.dumps(list(texts))
        try:
            self._socket.settimeout(timeout_seconds)
            self._socket.sendall(_LENGTH.pack(len(body)) + body)
        except OSError as error:
            raise UnderstudyFailed(f"The version's process takes no text: {error}.") from error
        answers = self._receive(deadline)
        if not isinstance(answers, list) or len(answers) != len(texts):
            raise UnderstudyFailed("The version's process did not answer every text.")
        return answers

    def close(self) -> None:
        """End the process, whatever it does."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _receive(self, deadline: float) -> Any:
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        try:
            return orjson.loads(self._read(length, deadline))
        except orjson.JSONDecodeError as error:
            raise UnderstudyFailed("The version's process said something that is no answer.") from error

    def _read(self, count: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            left = deadline - time.monotonic()
            try:
                self._socket.settimeout(max(left, 0.001))
                part = self._socket.recv(count - len(parts))
            except OSError as error:
                raise UnderstudyFailed("The version's process does not answer in time.") from error
            if not part:
                raise UnderstudyFailed("The version's process ended.")
            parts += part
        return bytes(parts)


def serve(load: Callable[[Path], Tagger]) -> None:
    """Be the process: load the folder of the first argument, then answer on the socket of the second till it closes."""
    folder, connection = Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    os.nice(_NICE)
    # One that hangs would not see its socket close.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    tagger = load(folder)
    _send(connection, "ready")
    while (texts := _next(connection)) is not None:
        _send(connection, _answers(tagger, texts))


def _next(connection: socket.socket) -> list[str] | None:
    head = connection.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(head) < _LENGTH.size:
        return None
    texts: list[str] = orjson.loads(connection.recv(_LENGTH.unpack(head)[0], socket.MSG_WAITALL))
    return texts


def _send(connection: socket.socket, message: Any) -> None:
    body = orjson.dumps(message)
    connection.sendall(_LENGTH.pack(len(body)) + body)


def _answers(tagger: Tagger, texts: Sequence[str]) -> list[dict[str, Any] | None]:
    """A batch that breaks is tried text by text, so that a bad one fails alone."""
    with suppress(Exception):
        return [_answer(tagged) for tagged in tagger.tag(list(texts))]
    return [_answers(tagger, [text])[0] for text in texts] if len(texts) > 1 else [None]


def _answer(tagged: Tagged) -> dict[str, Any]:
    spans = [[span.start, span.end, span.label, float(span.confidence)] for span in tagged.spans]
    return {"spans": spans, "expected": tagged.expected_entities}


if __name__ == "__main__":
    serve(load_tagger)
