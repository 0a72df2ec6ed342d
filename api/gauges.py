"""What Prometheus is shown beside the counters: who serves, what is known of the versions, and what the disk has left.

The figures are read from the database by a thread, every `seconds`, so that a scrape waits for nothing.
"""

import logging
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily

from api.serving import Serving
from ner.database import Database
from registry.heartbeats import last_beats
from registry.standing import F1_ESTIMATE, F1_GOLD, VOCABULARY_OVERLAP, Figure, list_figures

_BASES = {F1_GOLD: "gold", F1_ESTIMATE: "estimate"}
_VARIANTS = ("stable", "canary", "previous")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database said last."""

    figures: Sequence[Figure] = ()
    beats: Mapping[str, float] = field(default_factory=dict)  # seconds since the epoch


class Gauges:
    """A collector for a Prometheus registry. Register it once, and let `start` and `stop` frame its life."""

    def __init__(self, database: Database, serving: Serving, home: Path, seconds: float) -> None:
        self._database = database
        self._serving = serving
        self._home = home
        self._seconds = seconds
        self._read = _Read()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def refresh(self) -> None:
        """Read now. Raises SQLAlchemyError while the database does not answer; what was read last is kept."""
        with self._database.reading() as connection:
            beats = {name: moment.timestamp() for name, moment in last_beats(connection).items()}
            self._read = _Read(list_figures(connection), beats)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of this moment."""
        yield self._serving_now()
        yield GaugeMetricFamily(
            "ner_database_up", "Whether the database answered lately.", value=float(self._serving.database_is_up)
        )
        yield from self._figures()
        yield from self._disk()

    def _run(self) -> None:
        while True:
            try:
                self.refresh()
            except sa.exc.SQLAlchemyError as error:
                _LOG.error("The versions' figures cannot be read (%s).", type(error).__name__)
            if self._stopping.wait(self._seconds):
                return

    def _named(self) -> list[tuple[str, str]]:
        """Version and variant of everything that the rollout names."""
        rollout = self._serving.lineup.rollout
        named = ((getattr(rollout, variant), variant) for variant in _VARIANTS)
        return [(version, variant) for version, variant in named if version is not None]

    def _serving_now(self) -> GaugeMetricFamily:
        lineup = self._serving.lineup
        family = GaugeMetricFamily(
            "ner_serving", "Whether a version that the rollout names is loaded.", labels=("version", "variant")
        )
        for version, variant in self._named():
            family.add_metric((version, variant), float(getattr(lineup, variant) is not None))
        return family

    def _figures(self) -> Iterator[GaugeMetricFamily]:
        known = {(figure.version, figure.name): figure for figure in self._read.figures}
        by_basis = ("version", "variant", "basis")
        f1 = GaugeMetricFamily("ner_version_f1", "Strict F1, on gold and as estimated.", labels=by_basis)
        low = GaugeMetricFamily("ner_version_f1_low", "Lower end of its 95 % interval.", labels=by_basis)
        high = GaugeMetricFamily("ner_version_f1_high", "Upper end of its 95 % interval.", labels=by_basis)
        overlap = GaugeMetricFamily(
            "ner_version_vocabulary_overlap",
            "Share of distinct words that the version knows, in samples of one size.",
            labels=("version", "variant"),
        )
        measured = GaugeMetricFamily(
            "ner_version_figure_timestamp_seconds",
            "When a figure was measured.",
            labels=("version", "variant", "figure"),
        )
        for version, variant in self._named():
            for name in (F1_GOLD, F1_ESTIMATE, VOCABULARY_OVERLAP):
                figure = known.get((version, name))
                if figure is None:
                    continue
                measured.add_metric((version, variant, name), figure.measured_at.timestamp())
                if name == VOCABULARY_OVERLAP:
                    overlap.add_metric((version, variant), figure.value)
                    continue
                labels = (version, variant, _BASES[name])
                f1.add_metric(labels, figure.value)
                if figure.low is not None and figure.high is not None:
                    low.add_metric(labels, figure.low)
                    high.add_metric(labels, figure.high)
        yield from (f1, low, high, overlap, measured)
        beats = GaugeMetricFamily(
            "ner_heartbeat_timestamp_seconds", "When a process was alive last.", labels=("process",)
        )
        for process, moment in self._read.beats.items():
            beats.add_metric((process,), moment)
        yield beats

    def _disk(self) -> Iterator[GaugeMetricFamily]:
        if self._home.exists():
            usage = shutil.disk_usage(self._home)
            yield GaugeMetricFamily("ner_disk_bytes", "Size of the disk that holds NER_HOME.", value=usage.total)
            yield GaugeMetricFamily("ner_disk_free_bytes", "What it has left.", value=usage.free)
