"""Servers to be measured, each in a process of its own on a loopback port: started, timed, weighed, and stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.running import ROOT, free_port

_SECONDS = 180
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A running server. `processes` are its own and its children's."""

    port: int
    process: subprocess.Popen[bytes]
    ready_seconds: float
    log: Path

    def cpu_seconds(self) -> float:
        """Processor time that the server has used."""
        return sum(_cpu_seconds(pid) for pid in self.processes())

    def megabytes(self) -> float:
        """Memory of all its processes; pages that several share count once."""
        return sum(_proportional_kilobytes(pid) for pid in self.processes()) / 1024

    def processes(self) -> list[int]:
        """Process ids of the server, and of everything that it started, in whatever session."""
        return family(self.process.pid)


@dataclass(frozen=True)
class Command:
    """How to start a server. `{port}` in the words and in the environment stands for its port."""

    words: Sequence[str]
    ready_path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_body: str | None = None


@contextmanager
def running(command: Command, folder: Path, *, seconds: float = _SECONDS) -> Iterator[Server]:
    """Start, wait until it answers, and stop it whatever happens."""
    port = free_port()
    log = folder / f"server-{port}.log"
    given = {name: value.format(port=port) for name, value in command.environment.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NER_")}
    began = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [word.format(port=port) for word in command.words],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=ROOT,
            env={**clean, "OMP_NUM_THREADS": "1", **given},
            start_new_session=True,
        )
    if takes_precedence():
        precede(process.pid)
    try:
        _wait_until_ready(command, port, process, log, seconds)
        ready_seconds = time.perf_counter() - began
        if takes_precedence():
            for pid in family(process.pid):
                precede(pid)
        yield Server(port, process, ready_seconds, log)
    finally:
        stop(process)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
    found = [pid]
    for one in found:
        found.extend(child for child, parent in parents.items() if parent == one)
    return found


def clean_up_when_stopped() -> None:
    """Let SIGTERM end this process as an exception does, so that no server is left behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def takes_precedence() -> bool:
    """Whether what is measured goes before other work on this machine (BENCH_FIRST=1; needs root on Linux)."""
    return os.environ.get("BENCH_FIRST") == "1"


def precede(pid: int) -> None:
    """Let every thread of a process go before all ordinary work; what it starts inherits this."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(1))


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and everything that it started, kindly at first."""
    started = family(process.pid)
    try:
        _stop(process)
    finally:
        for pid in started[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
            return
        except ProcessLookupError:
            process.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            continue


def _wait_until_ready(
    command: Command, port: int, process: "subprocess.Popen[bytes]", log: Path, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    address = f"http://127.0.0.1:{port}{command.ready_path}"
    with httpx.Client(timeout=20) as client:
        while True:
            try:
                sent = {"content": command.ready_body, "headers": {"Content-Type": "application/json"}}
                answer = client.post(address, **sent) if command.ready_body else client.get(address)  # type: ignore[arg-type]
                if answer.status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command.words)} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _proportional_kilobytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
