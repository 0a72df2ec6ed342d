"""One attempt at a claimed run: trained in this process, kept alive by a thread, its outcome always written."""

import logging
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from ner.database import Database
from ner.disk import check_room
from ner.errors import Conflict, NerError, RunCancelled
from ner.settings import Settings
from registry import runs
from registry.progress import Progress
from registry.runs import Run
from registry.versions import VersionRecord

HEARTBEAT_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Pulse:
    """Writes the run's heartbeat and newest progress every second, and hears whether the run is to stop.

    Where `parent` names a process and that process dies, the run goes back to the queue and this process ends.
    """

    def __init__(
        self,
        database: Database,
        run: Run,
        *,
        parent: int | None = None,
        watch: Callable[[Progress], None] | None = None,
    ) -> None:
        self._database = database
        self._run = run
        self._parent = parent
        self._watch = watch
        self._progress = Progress(stage="starting")
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def report(self, progress: Progress) -> None:
        """Remember how far the run is; the next heartbeat writes it."""
        self._progress = progress
        if self._watch is not None:
            self._watch(progress)

    def should_stop(self) -> bool:
        """Whether the run was cancelled, or is somebody else's by now."""
        return self._stop.is_set()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            if self._parent is not None and os.getppid() != self._parent:
                self._leave()
            try:
                with self._database.transaction() as connection:
                    if runs.heartbeat(connection, self._run, self._progress):
                        self._stop.set()
            except Conflict:
                self._stop.set()
                return
            except sa.exc.SQLAlchemyError as error:
                _log.warning("A heartbeat of run %s was not written: %s", self._run.id, error)

    def _leave(self) -> None:
        try:
            with self._database.transaction() as connection:
                runs.give_up(connection, self._run, "its worker died")
        except (Conflict, sa.exc.SQLAlchemyError) as error:
            _log.warning("Run %s was not given back: %s", self._run.id, error)
        os._exit(1)


def make_attempt(
    database: Database,
    settings: Settings,
    run: Run,
    *,
    parent: int | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> VersionRecord:
    """Train the run and register its version. What goes wrong is written to the run, then raised."""
    try:
        check_room(settings.home, settings.disk_reserve_megabytes)
        with Pulse(database, run, parent=parent, watch=watch) as pulse:
            # Imported here, so that a slow import has a heartbeat and the worker starts without it.
            from training.pipeline import run_training

            return run_training(database, settings, run, pulse.report, pulse.should_stop)
    except RunCancelled:
        _conclude(database, run, None)
        raise
    except NerError as error:
        _conclude(database, run, error.message)
        raise
    except Exception as error:
        _conclude(
            database, run, f"Training met an unexpected {type(error).__name__}: {error}. The worker's log says where."
        )
        raise


def _conclude(database: Database, run: Run, error: str | None) -> None:
    try:
        with database.transaction() as connection:
            if error is None:
                runs.mark_cancelled(connection, run)
            else:
                runs.fail_run(connection, run, error)
    except Conflict:
        _log.warning("Run %s was taken over or has ended; this attempt writes nothing more.", run.id)
