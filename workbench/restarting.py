"""Every process of a running installation started anew, one after another, so that callers notice nothing."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ner.errors import NerError
from ner.settings import Settings
from workbench.gateway import FAIL_TIMEOUT_SECONDS
from workbench.launcher import Process, end_group, look_after

REQUEST = signal.SIGUSR1
_TIMEOUT_SECONDS = 300.0
_LONGEST_SECONDS = 1800.0


class Restarts:
    """What `workbench up` does when it is asked for a restart by a signal; its children but the gateway take turns.

    The gateway needs none: it holds no secret of ours, and a new one would close its callers' connections.
    """

    def __init__(self, children: Sequence[Process], home: Path, say: Callable[[str], None]) -> None:
        self._children = children
        self._outcome = outcome(home)
        self._say = say
        self._is_asked = False
        is_behind_gateway = any(process.name == "gateway" for process in children)
        self._forgotten_after = FAIL_TIMEOUT_SECONDS + 1 if is_behind_gateway else 0
        signal.signal(REQUEST, self._ask)

    def _ask(self, _number: int, _frame: object) -> None:
        self._is_asked = True

    def take(self) -> None:
        """Restart them where it was asked for; how it went is in the file `outcome`, empty where all are well."""
        if not self._is_asked:
            return
        self._is_asked = False
        problem = ""
        for process in self._children:
            if process.name != "gateway" and not self._restart(process):
                problem = f"The {process.name} process is not well after its restart, so the others were left alone."
                self._say(f"{problem}\n{process.last_lines()}")
                break
        draft = self._outcome.with_suffix(".new")
        draft.write_text(problem)
        draft.replace(self._outcome)

    def _restart(self, process: Process) -> bool:
        self._say(f"The {process.name} process is restarted, as was asked.")
        if process.child is not None:
            end_group(process.child)
        process.start()
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while not process.is_healthy():
            if process.has_ended() or time.monotonic() > deadline:
                return False
            self._pass(process)
        # Of two replicas the gateway leaves alone the one that was away: the other may go once this one is taken again.
        deadline = time.monotonic() + self._forgotten_after
        while time.monotonic() < deadline:
            self._pass(process)
        return not process.has_ended()

    def _pass(self, process: Process) -> None:
        look_after([other for other in self._children if other is not process], self._say)
        time.sleep(0.2)


def outcome(home: Path) -> Path:
    """Where the launcher writes how the last restart went."""
    return home / "up.restarted"


def ask(settings: Settings) -> None:
    """Ask the launcher of this home for a restart, and wait for it. Raises NerError."""
    path, told = settings.home / "up.lock", outcome(settings.home)
    before = told.stat().st_mtime_ns if told.exists() else None
    launcher = _launcher(path)
    if launcher is None:
        raise NerError(
            f"No 'workbench up' runs on {settings.home}. Containers are restarted by what runs them: "
            "'docker compose restart', 'kubectl rollout restart deployment'."
        )
    os.kill(launcher, REQUEST)
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not told.exists() or told.stat().st_mtime_ns == before:
        if time.monotonic() > deadline:
            raise NerError("'workbench up' has not restarted everything; it may be starting still, as its output says.")
        if _launcher(path) is None:
            raise NerError("'workbench up' ended meanwhile; its output says why.")
        time.sleep(0.2)
    if problem := told.read_text():
        raise NerError(problem)


def _launcher(lock: Path) -> int | None:
    """The process that holds the home's lock."""
    try:
        with lock.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int(lock.read_text())
    return None
