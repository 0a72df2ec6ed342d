"""Secrets that can be recognised, and a search for them wherever they do not belong."""

import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa

from tests.running import free_port

KEY_FILES = {"secret.key", "admin.key", "backup.key", "signing.key", "gateway.key"}
"""Files of NER_HOME that are secrets, for their owner alone."""
_LOOK_SECONDS = 0.1


class Secrets:
    """Values by name. Each has letters and digits that occur nowhere else, which is what is searched for."""

    def __init__(self) -> None:
        self._needles: dict[str, str] = {}

    def plant(self, name: str) -> str:
        """A new secret with characters that a URL does not take as they are."""
        self._needles[name] = needle = f"planted{secrets.token_hex(12)}"
        return f"{needle}/+&@{name}"

    def note(self, name: str, value: str) -> str:
        """One that the installation made itself."""
        assert len(value) >= 16, f"{name} is too short to be recognised"
        self._needles[name] = value
        return value

    def found_in(self, where: str, content: bytes) -> set[tuple[str, str]]:
        """(secret, where) for each that the content shows: as it is, or in hexadecimal digits as a dump shows bytes."""
        return {
            (name, where)
            for name, needle in self._needles.items()
            if needle.encode() in content or needle.encode().hex().encode() in content
        }


class ProcessList:
    """Every command line on this machine while the context lasts."""

    def __init__(self) -> None:
        self.lines: set[bytes] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "ProcessList":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.lines.add(entry.read_bytes())
                except OSError:
                    continue


@contextmanager
def own_redis(folder: Path, password: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address, without its password, of a Redis that asks for one, and its process."""
    port = free_port()
    (folder / "redis.conf").write_text(f'port {port}\nbind 127.0.0.1\nsave ""\nrequirepass "{password}"\n')
    process = subprocess.Popen(["redis-server", str(folder / "redis.conf")], stdout=subprocess.DEVNULL, cwd=folder)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                redis.Redis(port=port, password=password).ping()
                break
            except redis.ConnectionError:
                assert time.monotonic() < deadline, "Redis did not come up."
        yield f"127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait(20)


class Echo:
    """A provider of identities, a language model and a receiver of webhooks that repeat in a refusal what they got."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        echo = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages = {"issuer": "", "jwks_uri": "/k", "authorization_endpoint": "/a", "token_endpoint": "/t"}
                described = {name: echo.url + path for name, path in pages.items()}
                self._answer(200, str(described).replace("'", '"'))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                echo.heard.append(f"{self.headers}{body}")
                self._answer(401, f"{self.headers}{body}")

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status, "No")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Echo":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def files(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of an installation but those that are secrets."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.name not in KEY_FILES:
            yield str(path.relative_to(home)), path.read_bytes()


def rows(url: str) -> Iterator[tuple[str, bytes]]:
    """Every table of a PostgreSQL database as text, bytes in hexadecimal digits."""
    engine = sa.create_engine(url)
    tables = sa.text(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    with engine.connect() as connection:
        for name in connection.scalars(tables).all():
            content = connection.scalars(sa.text(f"SELECT t::text FROM {name} AS t")).all()
            yield name, "\n".join(content).encode()
    engine.dispose()


def remembered(link: Any) -> Iterator[tuple[str, bytes]]:
    """Every key of a Redis, with its value in the server's own serialisation and in plain where it is a string."""
    for key in link.scan_iter():
        value = link.get(key) if link.type(key) == b"string" else link.dump(key)
        yield f"redis {key!r}", key + (value or b"")
