"""The canary in the shadow: a share of what the stable version answered is answered again, compared, and counted.

The path of an answer pays for a hash and a place in a bounded queue. A thread hands what waits to the canary, which
runs in a process of its own: it may crash or hang, and takes no time from the interpreter that serves callers.
"""

import dataclasses
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from prometheus_client import Counter, Gauge

from api.answering import Answer, Outcome
from api.label_counts import LabelCounts
from api.measures import Measures
from api.serving import Served, Serving
from ner.database import Database, utc_now
from ner.errors import BrokenPackage
from ner.predictions import ScoredSpan, Tagged
from ner.scoring import span_differences
from registry.packages import PackageStore
from registry.prediction_log import CapturedText
from registry.quality_verdicts import PairedCounts
from registry.shadow import ShadowAnswer, is_shadowed, place_of, share_below, write_answers
from registry.understudy import MODULE, Understudy, UnderstudyFailed

CAPACITY = 2_000
"""Requests that may wait for the canary; above it they are dropped and counted."""
AGREEING_SHARE = 0.1
"""Of the requests on which the versions agree, the share whose texts are kept for labelling where capture is on."""
MOST_TEXTS = 2_000
"""Texts that one process keeps for one pair of versions."""
_BATCH = 64
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 10.0
_REST_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    request_id: str
    text: str
    stable: str
    tagged: Tagged
    canary: Served


class ShadowMeasures:
    """What Prometheus hears of it."""

    def __init__(self, measures: Measures) -> None:
        registry = measures.registry
        self.answers = Counter(
            "ner_shadow_answers",
            "Stable requests that the canary answered in the shadow: agree, disagree, failed; or dropped.",
            ("version", "outcome"),
            registry=registry,
        )
        self.differences = Counter(
            "ner_shadow_differences",
            "Spans on which the canary in the shadow and the stable version differ, by kind; match: they agree.",
            ("version", "kind"),
            registry=registry,
        )
        self.share = Gauge(
            "ner_shadow_share", "The share of stable traffic that is shadowed, 0 to 1.", registry=registry
        )


class Shadow:
    """Takes answers from the event loop without waiting, and has the canary answer them in its own time."""

    def __init__(
        self,
        serving: Serving,
        packages: PackageStore,
        database: Database,
        keep: Callable[[CapturedText], None],
        measures: Measures,
        label_counts: LabelCounts,
        *,
        module: str = MODULE,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._serving = serving
        self._packages = packages
        self._database = database
        self._keep = keep
        self._measures = ShadowMeasures(measures)
        self._label_counts = label_counts
        self._module = module
        self._patience_seconds = patience_seconds
        self._queue: deque[_Waiting] = deque()
        self._suspects: deque[_Waiting] = deque()
        self._written: list[ShadowAnswer] = []
        self._understudy: tuple[str, Understudy] | None = None
        self._kept: dict[tuple[str, str], int] = {}
        self._resting_until = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait for the canary."""
        return len(self._queue) + len(self._suspects)

    def offer(self, key: str, request_id: str, text: str, outcome: Outcome) -> None:
        """Take an answer of the stable version, if its key is among the shadowed. Never waits, never raises."""
        lineup = self._serving.lineup
        canary = lineup.canary
        if not lineup.shadow_percent or canary is None or not isinstance(outcome, Answer):
            return
        if outcome.variant != "stable" or outcome.degraded or outcome.version == canary.version:
            return
        if not is_shadowed(lineup.rollout, key, lineup.shadow_percent):
            return
        if len(self._queue) >= CAPACITY:
            self._measures.answers.labels(canary.version, "dropped").inc()
            return
        self._queue.append(_Waiting(request_id, text, outcome.version, outcome.tagged, canary))

    def start(self) -> None:
        """Begin to answer."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and the canary's process; what waits is not answered any more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._dismiss()

    def _run(self) -> None:
        while not self._stopping.wait(_PAUSE_SECONDS):
            try:
                self.work_off()
                self._label_counts.catch_up_if_due()
            except Exception:
                # Whatever it is, callers must not notice, and the next batch is tried again.
                _LOG.exception("The shadow met an unexpected error.")
                self._rest()

    def work_off(self) -> None:
        """Answer what waits now, unless the canary's process has just failed; what was answered is written."""
        lineup = self._serving.lineup
        self._measures.share.set(lineup.shadow_percent / 100 if lineup.canary is not None else 0)
        if not lineup.shadow_percent or lineup.canary is None:
            self._dismiss()
        while self.waiting and time.monotonic() >= self._resting_until and not self._stopping.is_set():
            batch = self._next()
            answers = self._answered(batch)
            if answers is not None:
                for one, answer in zip(batch, answers, strict=True):
                    self._note(one, answer)
        self._write()

    def _next(self) -> list[_Waiting]:
        """Texts for one version; those that were there when its process failed come one by one."""
        if self._suspects:
            return [self._suspects.popleft()]
        batch = [self._queue.popleft()]
        while self._queue and len(batch) < _BATCH and self._queue[0].canary is batch[0].canary:
            batch.append(self._queue.popleft())
        return batch

    def _answered(self, batch: Sequence[_Waiting]) -> list[dict[str, Any] | None] | None:
        """The canary's answers; None where its process failed and it is to be seen at which text."""
        try:
            understudy = self._understudy_of(batch[0].canary)
            return understudy.answer([one.text for one in batch], timeout_seconds=self._patience_seconds)
        except (UnderstudyFailed, BrokenPackage, OSError) as error:
            _LOG.error("Version %s failed in the shadow: %s", batch[0].canary.version, error)
            self._dismiss()
            if len(batch) > 1:
                self._suspects.extend(batch)
                return None
            self._rest()
            return [None]

    def _understudy_of(self, served: Served) -> Understudy:
        if self._understudy is not None and self._understudy[0] == served.digest:
            return self._understudy[1]
        self._dismiss()
        started = Understudy(self._packages.folder(served.version, served.digest), self._module)
        self._understudy = (served.digest, started)
        return started

    def _dismiss(self) -> None:
        if self._understudy is not None:
            self._understudy[1].close()
            self._understudy = None

    def _rest(self) -> None:
        self._resting_until = time.monotonic() + _REST_SECONDS

    def _note(self, one: _Waiting, answer: Mapping[str, Any] | None) -> None:
        found = _found(answer) if answer is not None else None
        version, differences = one.canary.version, _differences(one.tagged, found)
        row = ShadowAnswer(
            request_id=one.request_id,
            at=utc_now(),
            stable=one.stable,
            canary=version,
            outcome="failed" if found is None else "disagree" if set(differences) - {"match"} else "agree",
            differences=differences,
            stable_lowest=_lowest(one.tagged.spans),
            canary_lowest=_lowest(found.spans) if found is not None else None,
            expected=_expected(one.tagged, found) if found is not None else None,
            is_sampled=False,
        )
        self._measures.answers.labels(version, row.outcome).inc()
        for kind, count in differences.items():
            self._measures.differences.labels(version, kind).inc(count)
        self._written.append(self._sampled(row, one) if found is not None else row)

    def _sampled(self, row: ShadowAnswer, one: _Waiting) -> ShadowAnswer:
        """The row, and its text kept, where capture is on and its place is among those that labels are drawn from."""
        pair, share = (row.stable, row.canary), 1.0 if row.outcome == "disagree" else AGREEING_SHARE
        kept = self._kept.get(pair, 0)
        if not self._serving.lineup.captures or kept >= MOST_TEXTS:
            return row
        if not share_below(place_of(row.request_id), share):
            return row
        self._kept[pair] = kept + 1
        self._keep(CapturedText(row.request_id, one.text, row.stable, row.stable_lowest, "sample"))
        return dataclasses.replace(row, is_sampled=True)

    def _write(self) -> None:
        if not self._written:
            return
        rows, self._written = self._written, []
        try:
            with self._database.transaction() as connection:
                write_answers(connection, rows)
        except sa.exc.SQLAlchemyError as error:
            _LOG.error("%d answers of the shadow were not written: %s", len(rows), type(error).__name__)


def _found(answer: Mapping[str, Any]) -> Tagged:
    spans = tuple(ScoredSpan(*span) for span in answer["spans"])
    return Tagged(spans, 0, 0, expected_entities=answer["expected"])


def _differences(stable: Tagged, canary: Tagged | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    if canary is not None:
        for kind, *_ in span_differences(stable.spans, canary.spans):
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def _lowest(spans: Sequence[ScoredSpan]) -> float | None:
    return min((span.confidence for span in spans), default=None)


def _expected(stable: Tagged, canary: Tagged) -> PairedCounts | None:
    """None where a version gives no expected number of entities."""
    if stable.expected_entities is None or canary.expected_entities is None:
        return None
    figures: list[float] = []
    for tagged, entities in ((stable, stable.expected_entities), (canary, canary.expected_entities)):
        right = sum(span.confidence for span in tagged.spans)
        figures += [right, len(tagged.spans), max(right, entities)]
    return PairedCounts(*figures)
