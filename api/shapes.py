"""From what the rooms below return to the shapes of the contract."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from annotation.offers import PartialLabels
from api import schemas
from api.schemas.desk import PartialList, PartialShape
from ner.documents import Document, EntitySpan
from ner.predictions import ScoredSpan
from registry.rollout import Rollout, aliases_of
from registry.runs import Run
from registry.versions import VersionRecord


def spans_shape(text: str, spans: Iterable[EntitySpan]) -> list[schemas.SpanShape]:
    """Spans with their surface."""
    return [
        schemas.SpanShape(start=span.start, end=span.end, label=span.label, text=span.surface(text)) for span in spans
    ]


def partial_shape(judged: Iterable[PartialLabels]) -> PartialList:
    """Documents of which only single spans were judged."""
    return PartialList(
        documents=[
            PartialShape(
                document_id=one.document_id,
                text=one.text,
                accepted=spans_shape(one.text, one.accepted),
                rejected=spans_shape(one.text, one.rejected),
            )
            for one in judged
        ]
    )


def suggestions_shape(spans: Iterable[ScoredSpan]) -> list[schemas.SuggestionShape]:
    """What a model found."""
    return [suggestion_shape(span) for span in spans]


def suggestion_shape(span: ScoredSpan) -> schemas.SuggestionShape:
    """One span that a model found."""
    return schemas.SuggestionShape(start=span.start, end=span.end, label=span.label, confidence=span.confidence)


def document_shape(document: Document) -> schemas.DocumentShape:
    """A stored document."""
    return schemas.DocumentShape(
        id=document.id,
        dataset=document.dataset,
        text=document.text,
        revision=document.revision,
        spans=spans_shape(document.text, document.spans),
        is_gold=document.is_gold,
        meta=document.meta,
    )


def rollout_shape(rollout: Rollout) -> schemas.RolloutShape:
    """One state of the rollout, without its salt."""
    facts = dataclasses.asdict(rollout)
    del facts["salt"]
    return schemas.RolloutShape(**facts)


def version_facts(record: VersionRecord, rollout: Rollout) -> dict[str, Any]:
    """The fields of a VersionShape."""
    performance = record.performance
    return {
        "version": record.version,
        "recipe": record.recipe,
        "aliases": aliases_of(rollout, record.version),
        "f1": performance.get("f1"),
        "f1_interval": performance.get("f1_interval"),
        "labels": record.labels,
        "dataset": record.dataset,
        "data_version": record.data_version,
        "git_commit": record.git_commit,
        "trained_by": record.trained_by,
        "training_started_at": record.training_started_at,
        "training_completed_at": record.training_completed_at,
        "hyperparameters": record.hyperparameters,
        "run_id": record.run_id,
        "mlflow_run_id": record.mlflow_run_id,
    }


def judged_facts(performance: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a VersionDetail that say how the version was judged."""
    behaviour = performance.get("behaviour")
    return {
        "gate": performance.get("gate"),
        "schemes": performance.get("schemes") or {},
        "must_pass": behaviour and {"examples": behaviour["examples"], "broken": _broken(behaviour["broken"])},
    }


def _broken(examples: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "text": one["text"],
            **{
                side: spans_shape(one["text"], [EntitySpan(*span) for span in one[side]])
                for side in ("expected", "found")
            },
        }
        for one in examples
    ]


def run_shape(run: Run) -> schemas.RunShape:
    """A training run with its result, where it has one."""
    result = run.result or {}
    seconds = (run.finished_at - run.started_at).total_seconds() if run.started_at and run.finished_at else None
    return schemas.RunShape(
        id=run.id,
        dataset=run.dataset,
        recipe=run.recipe,
        parameters=run.parameters,
        status=run.status,
        requested_by=run.requested_by,
        requested_at=run.requested_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        attempts=run.attempts,
        progress=schemas.RunProgress(**run.progress),
        version=run.version,
        f1=result.get("f1"),
        precision=result.get("precision"),
        recall=result.get("recall"),
        seconds=result.get("seconds", seconds),
        error=run.error,
        findings=[schemas.FindingShape(**finding) for finding in run.findings or []],
    )
