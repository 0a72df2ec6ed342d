"""Starts the processes of an embedded installation, keeps them running, and stops them all."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn

import httpx

from ner.errors import InvalidSetting, NerError
from ner.settings import Settings

_NEEDED_BYTES = 1_000_000_000
_STOP_SECONDS = 8.0
_ALIVE_SECONDS = 15.0
_RESTARTS = 5
_RESTART_WINDOW_SECONDS = 120.0
_PAUSE_SECONDS = 20.0


class ProcessFailed(NerError):
    """A process ended by itself; the message holds the last lines of its log."""

    kind = "process_failed"


@dataclass(slots=True)
class Process:
    """One child: how to start it, and how to tell that it is well."""

    name: str
    command: Sequence[str]
    is_healthy: Callable[[], bool]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    leftovers: Sequence[Path] = ()
    """What a killed child leaves behind that would keep the next one from starting."""
    child: subprocess.Popen[bytes] | None = None
    started: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start the child in a process group of its own; it ends when this process does."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.started.append(time.monotonic())
        for path in self.leftovers:
            path.unlink(missing_ok=True)
        with self.log.open("ab") as stream:
            self.child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **self.environment},
                process_group=0,
                preexec_fn=_end_with_parent,
            )

    def has_ended(self) -> bool:
        """Whether the child is gone."""
        return self.child is None or self.child.poll() is not None

    def failed_too_often(self) -> bool:
        """Whether it was started more than a few times within two minutes."""
        recent = [moment for moment in self.started if time.monotonic() - moment < _RESTART_WINDOW_SECONDS]
        return len(recent) > _RESTARTS

    def signal(self, number: int) -> None:
        """Send a signal to the child and to what it started."""
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    def last_lines(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:]) if self.log.exists() else ""


def processes(settings: Settings) -> list[Process]:
    """The children of an installation, in the order they are named to the reader."""
    logs = settings.home / "logs"
    python = sys.executable
    return [
        Process(
            "workbench", [python, "-m", "workbench.door"], lambda: door_is_healthy(settings), logs / "workbench.log"
        ),
        Process(
            "mlflow",
            mlflow_command(settings),
            lambda: answers(f"http://127.0.0.1:{settings.mlflow_port}/health"),
            logs / "mlflow.log",
            # A password in it stays out of the list of processes.
            {"MLFLOW_BACKEND_STORE_URI": settings.mlflow, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        ),
        Process("worker", [python, "-m", "training", "worker"], lambda: worker_is_alive(settings), logs / "worker.log"),
    ]


def mlflow_command(settings: Settings) -> list[str]:
    """MLflow's own server, on the store that the environment names: the one that training writes to."""
    return [
        *(sys.executable, "-m", "registry.mlflow_server", settings.host, str(settings.mlflow_port)),
        *("", str(settings.home / "mlartifacts")),
    ]


def door_is_healthy(settings: Settings) -> bool:
    """Whether the API answers, has a stable version loaded, and reaches its database."""
    try:
        answer = asking().get(f"http://{local_host(settings)}:{settings.port}/api/v1/ner/health")
        return answer.status_code == 200 and answer.json()["status"] == "healthy"
    except (httpx.HTTPError, ValueError, KeyError):
        return False


@cache
def asking() -> httpx.Client:
    """For questions to this machine, over and over: without TLS, whose set-up costs more than the question."""
    return httpx.Client(verify=False, timeout=2)


def worker_is_alive(settings: Settings) -> bool:
    """Whether the worker touched its sign of life lately."""
    sign = settings.home / "worker.alive"
    return sign.exists() and time.time() - sign.stat().st_mtime < _ALIVE_SECONDS


def wait_until_healthy(children: Sequence[Process], announce: Callable[[str], object], timeout_seconds: float) -> None:
    """Wait for every child. Raises ProcessFailed when one ends, or is not well in time."""
    waiting = list(children)
    deadline = time.monotonic() + timeout_seconds
    while waiting:
        for process in list(waiting):
            if process.has_ended():
                raise ProcessFailed(f"The {process.name} process ended:\n{process.last_lines()}")
            if process.is_healthy():
                waiting.remove(process)
                announce(process.name)
        if waiting and time.monotonic() > deadline:
            names = ", ".join(process.name for process in waiting)
            raise ProcessFailed(f"Not healthy after {timeout_seconds:.0f} s: {names}.\n{waiting[0].last_lines()}")
        time.sleep(0.2)


def keep_running(
    children: Sequence[Process], say: Callable[[str], None], between: Callable[[], None] = lambda: None
) -> NoReturn:
    """Start a child again whenever it ends, and do what is to be done `between`; never returns."""
    while True:
        look_after(children, say)
        between()
        time.sleep(0.5)


def look_after(children: Sequence[Process], say: Callable[[str], None]) -> None:
    """Start those that ended. One that keeps failing is tried now and then: the others go on without it."""
    for process in children:
        if not process.has_ended():
            continue
        if not process.failed_too_often():
            say(f"The {process.name} process ended; it is started again (log: {process.log}).")
        elif time.monotonic() - process.started[-1] >= _PAUSE_SECONDS:
            said = (
                f"The {process.name} process keeps failing; it is tried every {_PAUSE_SECONDS:.0f} s, the others go on:"
            )
            say(f"{said}\n{process.last_lines()}")
        else:
            continue
        # What it started outlives it where it was killed: nginx's workers, which keep the ports.
        process.signal(signal.SIGKILL)
        process.start()


def stop(children: Sequence[Process]) -> None:
    """Ask every child to stop, and end those that do not within a few seconds. Leaves nothing running."""
    for process in children:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline and not all(process.has_ended() for process in children):
        time.sleep(0.1)
    for process in children:
        process.signal(signal.SIGKILL)
        if process.child is not None:
            process.child.wait()


@contextlib.contextmanager
def sole_launcher(settings: Settings) -> Iterator[None]:
    """Hold the home folder's lock, with this process' id in it. Raises InvalidSetting when another launcher has it."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        stream = (settings.home / "up.lock").open("a")
    except OSError as error:
        raise InvalidSetting(f"NER_HOME is '{settings.home}', which cannot be written to: {error.strerror}.") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InvalidSetting(
                f"A workbench is running already on {settings.home}; stop it first, or set NER_HOME to another folder."
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def check_ports(settings: Settings, *, with_gateway: bool = False) -> None:
    """Raises InvalidSetting naming the first port that is taken."""
    ports = {"NER_PORT": settings.port, "NER_MLFLOW_PORT": settings.mlflow_port}
    if with_gateway:
        ports["NER_HTTPS_PORT"] = settings.https_port
    for name, port in ports.items():
        twin = next((other for other, its in ports.items() if its == port and other != name), None)
        if twin is not None:
            raise InvalidSetting(f"{name} and {twin} are both {port}; give them different ports.")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise InvalidSetting(
                    f"{name} is {port} on {settings.host}, which cannot be used ({error.strerror}); "
                    f"set {name} to a free port."
                ) from None


def check_disk(settings: Settings) -> None:
    """Raises InvalidSetting when the home folder's disk has less than 1 GB left."""
    free = shutil.disk_usage(settings.home).free
    if free < _NEEDED_BYTES:
        raise InvalidSetting(
            f"NER_HOME is '{settings.home}', whose disk has {free / 1e6:.0f} MB left; at least 1,000 MB are needed. "
            "Make room, or set NER_HOME to a folder on another disk."
        )


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and what it started, kindly at first."""
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            return


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the workbench."""
    return f"http://{local_host(settings)}:{settings.port}"


def _end_with_parent() -> None:
    # Linux only: a launcher that is killed outright must not leave its children behind.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        return asking().get(url).status_code == 200
    except httpx.HTTPError:
        return False


def local_host(settings: Settings) -> str:
    """The host under which this machine reaches what listens on `settings.host`."""
    return "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host
