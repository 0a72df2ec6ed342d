"""What this process says of itself in the database, so that the worker knows whether it may rely on the counts."""

import logging
import os
import socket
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from api.serving import Serving
from ner.database import Database, utc_now
from registry.prediction_log import PredictionLog
from registry.process_reports import REPORT_SECONDS, ProcessReport, report, withdraw

_LOOK_SECONDS = 0.5
_CGROUP = Path("/sys/fs/cgroup")
_LOG = logging.getLogger(__name__)


class Reporter:
    """Reports every few seconds, and at once when the process follows another rollout, in a thread of its own."""

    def __init__(self, database: Database, serving: Serving, log: PredictionLog) -> None:
        self._database = database
        self._serving = serving
        self._log = log
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported_at = float("-inf")
        self._epoch = -1

    def start(self) -> None:
        """Begin to report."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="process-report", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and take the report back."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        try:
            with self._database.transaction() as connection:
                withdraw(connection, self._process)
        except sa.exc.SQLAlchemyError as error:
            _LOG.info("The report of this process stays until it is old (%s).", type(error).__name__)

    def _run(self) -> None:
        while True:
            epoch = self._serving.lineup.rollout.epoch
            if epoch != self._epoch or time.monotonic() - self._reported_at >= REPORT_SECONDS:
                self._report(epoch)
            if self._stopping.wait(_LOOK_SECONDS):
                return

    def _report(self, epoch: int) -> None:
        now = ProcessReport(self._process, utc_now(), epoch, memory_share(), self._log.behind_seconds)
        self._reported_at = time.monotonic()
        try:
            with self._database.transaction() as connection:
                report(connection, now)
            self._epoch = epoch
        except sa.exc.SQLAlchemyError as error:
            _LOG.warning("This process cannot report to the database (%s).", type(error).__name__)


def memory_share(cgroup: Path = _CGROUP, proc: Path = Path("/proc")) -> float | None:
    """The part of its memory that is used: of the container's limit, where there is one (without the file cache, which
    is given up first), else this process's part of the machine's. None where neither can be read.
    """
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        if limit != "max":
            stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
            used = int((cgroup / "memory.current").read_text()) - int(stat.get("inactive_file", 0))
            return max(0, used) / int(limit)
    except (OSError, ValueError, ZeroDivisionError):
        # No container, or one without a limit: then it is the machine's memory that counts.
        pass
    try:
        pages = int((proc / "self" / "statm").read_text().split()[1])
        return pages / os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, IndexError):
        return None
