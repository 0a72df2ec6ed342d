"""A whole installation as a person starts it: `workbench up` in a folder of its own, on ports of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
COMMAND = Path(sys.executable).parent / "workbench"
_READY = re.compile(r"Sign in, once: (\S+)")
_SECONDS = 600


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningWorkbench:
    """`workbench up`, from its first line to the last process it leaves behind: none."""

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None, *options: str) -> None:
        self.home = home
        self._options = options
        self.port, mlflow_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NER_")},
            **{"NER_HOME": str(home), "NER_PORT": str(self.port), "NER_MLFLOW_PORT": str(mlflow_port)},
            **(settings or {}),
        }
        self.sign_in_url = ""
        self.output = home.parent / f"{home.name}.up.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for the line with the sign-in link."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("wb") as stream:
            self._process = subprocess.Popen(
                [COMMAND, "up", *self._options],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=self.environment,
                cwd=ROOT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _SECONDS
        while (ready := _READY.search(self.said())) is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"workbench up did not come up:\n{self.said()[-3000:]}")
            time.sleep(0.2)
        self.sign_in_url = ready.group(1)

    def said(self) -> str:
        """Everything it printed."""
        return self.output.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Of `workbench up` itself."""
        assert self._process is not None
        return self._process.pid

    @property
    def api_key(self) -> str:
        """The local administrator's."""
        return (self.home / "admin.key").read_text().strip()

    def client(self) -> httpx.Client:
        """HTTP with the administrator's key."""
        return httpx.Client(base_url=self.url, headers={"X-API-Key": self.api_key}, timeout=60)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one `workbench` command against it."""
        return subprocess.run(
            [COMMAND, *arguments], capture_output=True, text=True, check=False, env=self.environment, cwd=ROOT
        )

    def processes(self) -> dict[int, str]:
        """Every process that belongs to it, with its command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    session = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3])
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                except (OSError, IndexError):
                    continue
                if session == self.pid and line:
                    found[int(entry.name)] = line
        return found

    def stop(self) -> None:
        """Ctrl-C, and wait until it is gone."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self.pid, signal.SIGINT)
        self._process.wait(60)

    def kill(self) -> None:
        """Take `workbench up` away without a chance to clean up."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)


def wait_until(condition: object, seconds: float = 240, what: str = "") -> None:
    """Poll a callable until it is true; an AssertionError names what never came."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.1)
