"""What was answered, written down off the path of the answer: a bounded queue and one thread that writes in batches."""

import logging
import threading
import time
from collections import deque

import sqlalchemy as sa

from ner.database import Database
from registry.log_batches import Entry, KeepText, LogBatch, batch_of, write
from registry.log_spool import Spool
from registry.log_upkeep import Upkeep
from registry.logged import CapturedText, LoggedPrediction, entity_facts
from registry.refusals import RefusalTally

__all__ = ["CapturedText", "LoggedPrediction", "PredictionLog", "Upkeep", "entity_facts"]

_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError)
_REST_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class PredictionLog:
    """Takes entries from any thread without waiting and writes them every `pause_seconds`.

    Above `capacity` waiting entries new ones are dropped and counted. While the database does not answer, entries wait
    in `spool`, from which they are written later, exactly once; without a spool they keep their place in memory.
    """

    def __init__(
        self,
        database: Database,
        keep_text: KeepText,
        *,
        spool: Spool | None = None,
        upkeep: Upkeep | None = None,
        capacity: int = 100_000,
        batch: int = 1_000,
        pause_seconds: float = 0.25,
    ) -> None:
        self._database = database
        self._keep_text = keep_text
        self._spool = spool
        self._upkeep = upkeep or Upkeep()
        self._capacity = capacity
        self._batch = batch
        self._pause_seconds = pause_seconds
        self._waiting: deque[Entry] = deque()
        self._refused = RefusalTally()
        self._unsure: LogBatch | None = None
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._kept_open: sa.Connection | None = None
        self._resting_until = 0.0
        self._written_at = time.monotonic()
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Entries in memory that are not written yet."""
        return len(self._waiting) + len(self._refused) + (len(self._unsure) if self._unsure is not None else 0)

    @property
    def spooled(self) -> int:
        """Batches on disk that are not written yet."""
        return self._spool.files if self._spool is not None else 0

    @property
    def behind_seconds(self) -> float:
        """How long entries have waited at most; 0 where none does."""
        return time.monotonic() - self._written_at if self.waiting or self.spooled else 0.0

    def put(self, entry: Entry) -> None:
        """Take one entry, or drop and count it when the queue is full. Never waits."""
        if len(self._waiting) >= self._capacity:
            self.dropped += 1
            return
        self._waiting.append(entry)

    def refuse(self, status: int, latency_ms: float) -> None:
        """Count a request that no version answered."""
        self._refused.add(status, latency_ms)

    def start(self) -> None:
        """Begin to write."""
        if self._database.is_sqlite:
            # SQLite tidies its whole journal when the last connection closes, which would be after every batch.
            self._kept_open = self._database.engine.connect()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._flush_or_log()
        if self._kept_open is not None:
            self._kept_open.close()
            self._kept_open = None

    def flush(self) -> None:
        """Write everything that waits now, what waits on disk first.

        Raises OperationalError or InterfaceError while the database does not answer; then everything waits on disk,
        or where there is no spool keeps its place.
        """
        with self._writing:
            try:
                self._write_spooled()
                while (batch := self._next_batch()) is not None:
                    self._unsure = batch
                    self._write(batch)
                    self._unsure = None
                self._written_at = time.monotonic()
            except _AWAY:
                self._put_away()
                raise

    def _next_batch(self) -> LogBatch | None:
        if self._unsure is not None:
            return self._unsure
        entries = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
        refused = self._refused.take()
        return batch_of(entries, refused) if entries or refused else None

    def _write_spooled(self) -> None:
        for path, batch in self._spool.batches() if self._spool is not None else ():
            self._write(batch)
            assert self._spool is not None
            self._spool.remove(path)

    def _put_away(self) -> None:
        """Move everything from memory to disk."""
        while self._spool is not None and (batch := self._next_batch()) is not None:
            self._unsure = None
            if not self._spool.add(batch):
                self.dropped += len(batch)

    def _write(self, batch: LogBatch) -> None:
        try:
            with self._database.transaction() as connection:
                write(connection, batch, self._keep_text)
        except _AWAY:
            raise
        except Exception:
            # Trying these again would fail again and hold up everything behind them.
            self.dropped += len(batch)
            _LOG.exception("%d rows of the prediction log cannot be written and are dropped.", len(batch))

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_seconds):
            if time.monotonic() >= self._resting_until:
                self._flush_or_log()

    def _flush_or_log(self) -> None:
        try:
            self.flush()
            self._upkeep.run_if_due(self._database)
        except _AWAY as error:
            self._resting_until = time.monotonic() + _REST_SECONDS
            _LOG.error(
                "The prediction log cannot be written (%s); %d rows wait in memory and %d batches on disk.",
                *(type(error).__name__, self.waiting, self.spooled),
            )
