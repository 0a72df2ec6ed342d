"""A kept HTTP/1.1 connection that costs the generator little: one write and one read for each request."""

import json
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 10


class Connection:
    """To one server; opened when it is needed, and again after it broke."""

    def __init__(self, host: str, key: str) -> None:
        address = urlsplit(host)
        self._name, self._is_tls = address.hostname or "127.0.0.1", address.scheme == "https"
        self._port = address.port or (443 if self._is_tls else 80)
        self._common = f"Host: {address.netloc}\r\nX-API-Key: {key}\r\n".encode()
        self._socket: socket.socket | None = None

    def post(self, path: str, body: dict[str, Any]) -> int:
        """The status of the answer. Raises OSError where none comes."""
        content = json.dumps(body).encode()
        head = b"POST %s HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return self._exchange(head % (path.encode(), self._common, len(content)) + content)

    def get(self, path: str) -> int:
        """The status of the answer. Raises OSError where none comes."""
        return self._exchange(b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), self._common))

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, request: bytes) -> int:
        try:
            if self._socket is None:
                self._socket = self._open()
            self._socket.sendall(request)
            return self._answer(self._socket)
        except BaseException:
            # Whatever is still on its way must not be taken for the next answer.
            self.close()
            raise

    def _open(self) -> socket.socket:
        opened = socket.create_connection((self._name, self._port), timeout=_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return ssl.create_default_context().wrap_socket(opened, server_hostname=self._name) if self._is_tls else opened

    def _answer(self, opened: socket.socket) -> int:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += _some(opened)
        head = received[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            raise OSError("The answer does not say how long it is.")
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        missing = end + 4 + length - len(received)
        while missing > 0:
            missing -= len(_some(opened))
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head[9:12])


def _some(opened: socket.socket) -> bytes:
    received = opened.recv(65_536)
    if not received:
        raise OSError("The server hung up in the middle of an answer.")
    return received
