"""Real servers of a test's own, which it may kill: Redis, and a PostgreSQL cluster."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa

from tests.conftest import missing
from tests.running import free_port

_SECONDS = 240
_QUIET: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
# PostgreSQL refuses to run as root.
_AS_POSTGRES: Any = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}


class OwnRedis:
    """A redis-server without persistence."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            missing("redis-server is not installed.")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        _wait(lambda: bool(redis.Redis.from_url(self.url).ping()), redis.RedisError)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Let it hang: connections stay open, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def dump(self) -> bytes:
        """Every name and value in it."""
        client = redis.Redis.from_url(self.url)
        parts = [part for name in client.scan_iter() for part in (name, client.get(name) or b"")]
        client.close()
        return b"\0".join(parts)


class OwnPostgres:
    """A PostgreSQL cluster in a folder of its own, run by another user where this one is root."""

    def __init__(self, folder: Path) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("initdb") or "").parent]
        self._bin = found[-1]
        if not (self._bin / "initdb").exists():
            missing("PostgreSQL's initdb is not installed.")
        self.port = free_port()
        self.url = f"postgresql+psycopg2://test@127.0.0.1:{self.port}/postgres"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        if os.getuid() == 0:
            _open_way(folder)
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-D", str(folder / "cluster"), "-U", "test", "--auth=trust", "--no-sync")

    def start(self) -> None:
        where = ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self._folder), "-F"]
        command = [str(self._bin / "postgres"), "-D", str(self._folder / "cluster"), *where]
        engine = sa.create_engine(self.url)

        def answers() -> bool:
            # While a child of the last one still holds its memory, a new server gives up at once.
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(command, cwd=self._folder, **_AS_POSTGRES, **_QUIET)
            return engine.connect().close() is None

        _wait(answers, sa.exc.OperationalError)
        engine.dispose()

    def kill(self) -> None:
        """Take it away without a chance to finish anything."""
        if self._process is None:
            return
        pid = str(self._process.pid)
        children = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True, check=False).stdout.split()
        self._process.kill()
        for number in map(int, children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self._process.wait(10)
        self._process = None
        _wait(lambda: all(_is_gone(number) for number in map(int, children)))

    def _run(self, tool: str, *arguments: str) -> None:
        subprocess.run([str(self._bin / tool), *arguments], check=True, cwd=self._folder, **_AS_POSTGRES, **_QUIET)


def _open_way(folder: Path) -> None:
    """Let the other user reach the folder."""
    assert pwd.getpwnam("postgres")
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _wait(is_so: Callable[[], bool], *excused: type[Exception]) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            if is_so():
                return
        except excused:
            pass
        assert time.monotonic() < deadline, f"it never came to be ({sys._getframe(1).f_code.co_name})"
        time.sleep(0.05)
