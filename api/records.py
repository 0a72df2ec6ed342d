"""What is written down about an answer: its row in the log, its metrics, and its text where that is to be kept."""

import dataclasses
import random
from dataclasses import dataclass

from api.answering import Answer, Failure, Outcome, TaggingFailed
from api.exchange import Exchange
from api.measures import Measures
from api.serving import Serving
from ner.database import utc_now
from ner.disk import RoomWatch
from ner.masking import PRIVATE
from ner.predictions import Tagged
from registry.logged import CaptureReason
from registry.prediction_log import CapturedText, LoggedPrediction, PredictionLog, entity_facts
from registry.sampling import RowSampler

_OK = 200
_FAILED = 500
_NOTHING = Tagged((), 0, 0)


@dataclass(frozen=True, slots=True)
class Records:
    """Notes answers without waiting for anything. `low_confidence` is where correcting begins to pay; of the other
    texts a share of `capture_sample` is kept, for what the model is wrongly sure of. No text is kept while `room` is
    short.
    """

    log: PredictionLog
    measures: Measures
    serving: Serving
    low_confidence: float
    capture_sample: float
    sampler: RowSampler
    room: RoomWatch

    def answered(self, exchange: Exchange, request_id: str, text: str, outcome: Outcome) -> None:
        """Note what became of one text: the answer, and every candidate that should have given it and broke."""
        exchange.is_recorded = True
        facts = _Facts(exchange, request_id, len(text))
        covered_by = "" if isinstance(outcome, TaggingFailed) else outcome.variant
        for one in outcome.failed:
            self.measures.answer_failures.labels(one.version, one.variant).inc()
            self.log.put(facts.failed(one, covered_by))
        if isinstance(outcome, TaggingFailed):
            return
        PRIVATE.set(tuple(text[span.start : span.end] for span in outcome.tagged.spans))
        row = facts.answered(outcome)
        # A trial is judged by counting, so that every answer is written down while there is one.
        weight = 1.0 if self.serving.lineup.rollout.canary is not None else self.sampler.weight()
        self.log.put(row if weight == 1.0 else dataclasses.replace(row, weight=weight or 0.0))
        self.measures.entities(outcome.version, row.entities)
        self.measures.texts.add(row)
        keeps = self.serving.lineup.captures and not self.room.is_short()
        if keeps and (reason := self._reason_to_keep(row.lowest_confidence)) is not None:
            self.log.put(CapturedText(request_id, text, outcome.version, row.lowest_confidence, reason))

    def _reason_to_keep(self, lowest: float | None) -> CaptureReason | None:
        if lowest is not None and lowest < self.low_confidence:
            return "low confidence"
        return "sample" if random.random() < self.capture_sample else None

    def refused(self, exchange: Exchange, status: int) -> None:
        """Count a request for answers that no version came to answer."""
        self.log.refuse(status, exchange.latency_ms())


@dataclass(slots=True)
class _Facts:
    """What all rows about one text share."""

    exchange: Exchange
    request_id: str
    characters: int

    def answered(self, answer: Answer) -> LoggedPrediction:
        return self._row(
            *(answer.version, answer.variant, _OK, answer.tagged, answer.at),
            cached=answer.cached,
            stood_in_for=answer.stood_in_for or "",
        )

    def failed(self, one: Failure, covered_by: str) -> LoggedPrediction:
        return self._row(one.version, one.variant, _FAILED, _NOTHING, one.at, covered_by=covered_by)

    def _row(
        self,
        version: str,
        variant: str,
        status: int,
        tagged: Tagged,
        at: float,
        *,
        cached: bool = False,
        stood_in_for: str = "",
        covered_by: str = "",
    ) -> LoggedPrediction:
        labels, lowest, tenths = entity_facts(tagged)
        caller = self.exchange.caller
        return LoggedPrediction(
            request_id=self.request_id,
            at=utc_now(),
            version=version,
            variant=variant,
            status=status,
            latency_ms=(at - self.exchange.started) * 1000,
            cached=cached,
            key_id=caller.id if caller is not None else "",
            characters=self.characters,
            tokens=tagged.tokens,
            unknown_tokens=tagged.unknown_tokens,
            entities=labels,
            lowest_confidence=lowest,
            confidences=tenths,
            word_sample=list(tagged.word_sample),
            expected_correct=sum(span.confidence for span in tagged.spans) if status == _OK else None,
            expected_entities=tagged.expected_entities if status == _OK else None,
            stood_in_for=stood_in_for,
            covered_by=covered_by,
        )
