"""Documents, their corrections, and which one to look at next."""

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.capture import TRAFFIC, adopt_captured
from annotation.checks import Outcome, settle_check
from annotation.corrections import as_seen_by, list_revisions, save_correction
from annotation.datasets import get_document
from annotation.effort import note_effort
from annotation.offers import settle_offers
from annotation.suggesting import Suggestion
from annotation.tasks import next_captured, take_next
from annotation.votes import answers_of, next_disagreement
from api.bodies import refusals
from api.exchange import Caller
from api.offering import make_task
from api.order import ordered_documents
from api.pairs import next_of_shadow
from api.roles import Called, Wired, guarded_router, role
from api.schemas import (
    AnnotationRequest,
    AnnotationResponse,
    AnswerShape,
    CheckShape,
    DocumentShape,
    RevisionList,
    RevisionShape,
    SpanShape,
    TaskShape,
)
from api.shapes import document_shape, spans_shape
from api.wiring import Wiring
from ner import tables
from ner.documents import Document, EntitySpan
from ner.errors import InvalidInput, InvalidSpan
from ner.roles import require_role
from registry import audit

router = guarded_router(prefix="/api/v1", tags=["text"], responses=refusals(401, 403, 404))

_MOST_EXCLUDED = 500


@router.get("/documents/{document_id}", response_model=DocumentShape)
@role("viewer")
def show(document_id: str, wiring: Wired) -> DocumentShape:
    """A document with the spans of its newest revision."""
    with wiring.database.reading() as connection:
        return document_shape(get_document(connection, document_id))


@router.get("/documents/{document_id}/revisions", response_model=RevisionList)
@role("viewer")
def revisions(document_id: str, wiring: Wired) -> RevisionList:
    """Everything that was ever said about a document, newest first."""
    with wiring.database.reading() as connection:
        text = get_document(connection, document_id).text
        found = list_revisions(connection, document_id)
    shapes = [
        RevisionShape(
            revision=one.revision,
            author=one.author,
            kind=_kind(one.kind),
            spans=spans_shape(text, one.spans),
            model_version=one.model_version,
            created_at=one.created_at,
        )
        for one in found
    ]
    return RevisionList(revisions=sorted(shapes, key=lambda shape: -shape.revision))


@router.post(
    "/documents/{document_id}/annotations",
    response_model=AnnotationResponse,
    status_code=201,
    responses=refusals(409, 422),
)
@role("annotator")
def annotate(document_id: str, body: AnnotationRequest, wiring: Wired, caller: Called) -> AnnotationResponse:
    """Save a person's spans as the next revision.

    409 `stale_correction` when somebody saved another one since `base_revision`; its details hold both. Sent again
    with the same `operation_id` it is stored once.
    """
    with wiring.database.transaction() as connection:
        document = get_document(connection, document_id)
        is_repeated = _is_known(connection, body.operation_id)
        said = checked_spans(document.text, body.spans)
        spans, check = settle_check(connection, document_id, caller.name, said, is_repeated=is_repeated)
        saved = save_correction(
            connection,
            document_id,
            base_revision=body.base_revision,
            spans=spans,
            operation_id=body.operation_id,
            author=caller.name,
            model_version=body.model_version,
        )
        if not is_repeated:
            details = {"dataset": document.dataset, "revision": saved.revision, "spans": len(spans)}
            audit.append(connection, actor=caller.name, action="annotation.saved", subject=document_id, details=details)
            _note_work(connection, document, body, spans, check and check[0], caller.name)
    return AnnotationResponse(
        document_id=document_id, revision=saved.revision, is_gold=saved.is_gold, check=_check_shape(check)
    )


@router.get("/tasks/next", response_model=TaskShape, responses=refusals(422))
@role("annotator")
def next_task(
    wiring: Wired,
    caller: Called,
    dataset: str | None = None,
    source: str | None = None,
    order: Literal["uncorrected", "uncertain", "disagreements", "versions"] = "uncorrected",
    exclude: str = "",
    suggest: bool = True,
) -> TaskShape:
    """The next document to correct: of a `dataset`, or with `source=traffic` of the kept texts of traffic.

    Nobody else is given it for 15 minutes, where the dataset asks for no more people. `order`: "uncorrected" keeps the
    file's order, "uncertain" puts first where the stable version expects most errors of its own, meets unknown words
    or differs from the canary (one in seven is chosen at random), "disagreements" (reviewers) brings what people do not
    agree on, "versions" what the stable version and the canary differ on. `exclude` lists ids of documents that the
    person has just seen, with commas between them.
    """
    seen = [name for name in exclude.split(",") if name][:_MOST_EXCLUDED]
    if source == TRAFFIC:
        document, reason, remaining = _next_of_traffic(wiring, caller, seen, order)
    elif source is not None or dataset is None:
        raise InvalidInput("Name a dataset, or ask for source=traffic.")
    elif order == "disagreements":
        require_role(caller.role, "reviewer")
        return _next_decision(wiring, dataset, seen)
    else:
        among, why = ordered_documents(wiring, dataset, caller.name, seen, order)
        with wiring.database.transaction() as connection:
            document, reason, remaining = take_next(connection, dataset, caller.name, exclude=seen, among=among)
            document = document and as_seen_by(connection, document, caller.name)
        reason = why if document and why else reason
    if document is None:
        return TaskShape(document=None, reason=reason, remaining=remaining)
    return make_task(wiring, document, reason, remaining, suggest_for=caller.name if suggest else None)


@router.get("/tasks/{document_id}", response_model=TaskShape)
@role("annotator")
def task_of(document_id: str, wiring: Wired, caller: Called, suggest: bool = True) -> TaskShape:
    """One named document as a task: what is stored, and what the stable version suggests."""
    with wiring.database.reading() as connection:
        document = as_seen_by(connection, get_document(connection, document_id), caller.name)
    return make_task(wiring, document, "Opened by name.", 0, suggest_for=caller.name if suggest else None)


def _next_of_traffic(wiring: Wiring, caller: Caller, seen: list[str], order: str) -> tuple[Document | None, str, int]:
    lineup = wiring.serving.lineup
    if order == "versions" and lineup.stable is not None and lineup.canary is not None:
        return next_of_shadow(wiring, caller, lineup.stable.version, lineup.canary.version, seen)
    with wiring.database.transaction() as connection:
        captured, reason, remaining = next_captured(connection, wiring.seals, exclude=seen)
        if captured is None:
            return None, reason, remaining
        return adopt_captured(connection, wiring.seals, captured.request_id, caller.name), reason, remaining


def _next_decision(wiring: Wiring, dataset: str, seen: list[str]) -> TaskShape:
    with wiring.database.reading() as connection:
        document, reason, remaining = next_disagreement(connection, dataset, exclude=seen)
        if document is None:
            return TaskShape(document=None, reason=reason, remaining=remaining)
        answers = answers_of(connection, document.id)
    task = make_task(wiring, document, reason, remaining, suggest_for=None)
    task.answers = [
        AnswerShape(author=name, spans=spans_shape(document.text, spans)) for name, spans in sorted(answers.items())
    ]
    return task


def checked_spans(text: str, shapes: Sequence[SpanShape]) -> list[EntitySpan]:
    """The spans of a body. Raises InvalidSpan where a surface that was sent along is not the one in the text."""
    return [_span(text, shape) for shape in shapes]


def _span(text: str, shape: SpanShape) -> EntitySpan:
    span = EntitySpan(shape.start, shape.end, shape.label)
    if shape.text is not None and shape.text != span.surface(text):
        raise InvalidSpan(
            f"The span [{shape.start}, {shape.end}) does not cover the characters that were sent with it; "
            "offsets count characters (Unicode code points), not UTF-16 units or bytes."
        )
    return span


def _kind(stored: str) -> Literal["import", "correction", "decision"]:
    """What a revision is, whether or not its labels were changed afterwards."""
    if stored.endswith("import"):
        return "import"
    return "decision" if stored.endswith("decision") else "correction"


def _note_work(
    connection: Connection,
    document: Document,
    body: AnnotationRequest,
    spans: Sequence[EntitySpan],
    planted: EntitySpan | None,
    author: str,
) -> None:
    """What became of everything that was offered, and what the answer took."""
    offered = [
        Suggestion(one.start, one.end, one.label, one.source, one.source_version, confidence=one.confidence)
        for one in body.offers
    ]
    offered = [one for one in offered if one.span != planted]
    whose = {"operation_id": body.operation_id, "author": author}
    settle_offers(connection, document.id, offered, spans, **whose)
    if body.effort is not None:
        note_effort(
            connection,
            document_id=document.id,
            active_ms=body.effort.active_ms,
            key_presses=body.effort.key_presses,
            characters=len(document.text),
            shown=[*document.spans, *(one.span for one in offered)],
            answer=spans,
            **whose,
        )


def _check_shape(check: tuple[EntitySpan, Outcome] | None) -> CheckShape | None:
    if check is None:
        return None
    span, outcome = check
    return CheckShape(outcome=outcome, start=span.start, end=span.end, label=span.label)


def _is_known(connection: Connection, operation_id: str) -> bool:
    query = sa.select(tables.revisions.c.id).where(tables.revisions.c.operation_id == operation_id)
    return connection.scalar(query) is not None
