"""What was answered, written down off the path of the answer: a bounded queue and one thread that writes in batches."""

import dataclasses
import datetime as dt
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import Database
from ner.predictions import Tagged

_LOG = logging.getLogger(__name__)
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class LoggedPrediction:
    """One row of `predictions`: facts about an answer, never its text."""

    request_id: str
    at: dt.datetime
    version: str
    variant: str
    status: int
    latency_ms: float
    cached: bool
    key_id: str
    characters: int
    tokens: int
    unknown_tokens: int
    entities: dict[str, int]
    lowest_confidence: float | None
    confidences: list[int]
    word_sample: list[int]


@dataclass(frozen=True, slots=True)
class CapturedText:
    """A text that was answered with low confidence and is to be kept for correction."""

    request_id: str
    text: str
    version: str
    lowest_confidence: float


def entity_facts(tagged: Tagged) -> tuple[dict[str, int], float | None, list[int]]:
    """Entities per label, the lowest confidence (None without entities), and how many confidences lie in each tenth."""
    labels: dict[str, int] = {}
    tenths = [0] * _TENTHS
    lowest: float | None = None
    for span in tagged.spans:
        labels[span.label] = labels.get(span.label, 0) + 1
        tenths[min(int(span.confidence * _TENTHS), _TENTHS - 1)] += 1
        if lowest is None or span.confidence < lowest:
            lowest = span.confidence
    return labels, lowest, tenths


_COLUMNS = tuple(field.name for field in dataclasses.fields(LoggedPrediction))


class PredictionLog:
    """Takes rows from any thread without waiting and writes them every `pause_seconds`.

    Above `capacity` waiting rows new ones are dropped and counted. While the database does not answer, rows wait.
    `keep_text` stores one captured text on the given connection.
    """

    def __init__(
        self,
        database: Database,
        keep_text: Callable[[Connection, CapturedText], None],
        *,
        capacity: int = 100_000,
        batch: int = 1_000,
        pause_seconds: float = 0.25,
    ) -> None:
        self._database = database
        self._keep_text = keep_text
        self._capacity = capacity
        self._batch = batch
        self._pause_seconds = pause_seconds
        self._waiting: deque[LoggedPrediction | CapturedText] = deque()
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Rows that are not written yet."""
        return len(self._waiting)

    def put(self, entry: LoggedPrediction | CapturedText) -> None:
        """Take one entry, or drop and count it when the queue is full. Never waits."""
        if len(self._waiting) >= self._capacity:
            self.dropped += 1
            return
        self._waiting.append(entry)

    def start(self) -> None:
        """Begin to write."""
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

    def flush(self) -> None:
        """Write everything that waits now. While the database does not answer, the rows keep their place."""
        with self._writing:
            while self._waiting:
                size = min(self._batch, len(self._waiting))
                self._write_or_keep([self._waiting.popleft() for _ in range(size)])

    def _write_or_keep(self, entries: Sequence[LoggedPrediction | CapturedText]) -> None:
        try:
            self._write(entries)
        except (sa.exc.OperationalError, sa.exc.InterfaceError):
            self._waiting.extendleft(reversed(entries))
            raise
        except Exception:
            # Trying these again would fail again and hold up everything behind them.
            self.dropped += len(entries)
            _LOG.exception("%d rows of the prediction log cannot be written and are dropped.", len(entries))

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_seconds):
            self._flush_or_log()

    def _flush_or_log(self) -> None:
        try:
            self.flush()
        except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
            _LOG.error("The prediction log cannot be written; %d rows wait: %s", self.waiting, type(error).__name__)

    def _write(self, entries: Sequence[LoggedPrediction | CapturedText]) -> None:
        rows = [
            {column: getattr(entry, column) for column in _COLUMNS}
            for entry in entries
            if isinstance(entry, LoggedPrediction)
        ]
        with self._database.transaction() as connection:
            if rows:
                connection.execute(tables.predictions.insert(), rows)
            for entry in entries:
                if isinstance(entry, CapturedText):
                    self._keep_text(connection, entry)
