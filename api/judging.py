"""One suggestion at a time: yes or no to a single span, without an answer for the whole document."""

import random
from typing import Annotated

import sqlalchemy as sa
from fastapi import Query

from annotation.datasets import get_document
from annotation.offers import judge_offer, judged, partial_labels
from annotation.sources import list_sources
from annotation.stored import load_dataset
from annotation.suggesting import Suggestion, suggest
from annotation.tasks import open_documents
from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas.desk import (
    JudgementItem,
    JudgementQueue,
    JudgementRequest,
    JudgementStored,
    PartialList,
)
from api.shapes import partial_shape
from api.wiring import Wiring
from ner import tables
from ner.desk_tables import offers
from ner.documents import Document, EntitySpan
from ner.errors import InvalidSpan
from registry import audit

router = guarded_router(prefix="/api/v1", tags=["text"], responses=refusals(401, 403, 404))

_POOL = 64
_AROUND = 240
_LONGEST_CHARACTERS = 5_000


@router.get("/datasets/{name}/judgements/next", response_model=JudgementQueue, responses=refusals(422))
@role("annotator")
def queue(
    name: str,
    wiring: Wired,
    caller: Called,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    exclude: Annotated[str, Query(max_length=20_000, description="document:start:end:label, with commas")] = "",
) -> JudgementQueue:
    """Suggestions of the stable version and of the dataset's sources that nobody has judged, the least sure first: from
    64 documents at random that wait for an answer."""
    seen = set(exclude.split(","))
    with wiring.database.reading() as connection:
        dataset = load_dataset(connection, name)
        waiting = open_documents(connection, name, caller.name, exclude=())
        pool = random.sample(waiting, min(_POOL, len(waiting)))
        documents = [get_document(connection, one) for one in pool]
        verdicts = judged(connection, pool)
        sources = list_sources(connection, name)
        single = (
            sa.select(sa.func.count())
            .select_from(offers.join(tables.documents))
            .where(tables.documents.c.dataset_id == dataset.id, offers.c.way == "single")
        )
        count = connection.scalar(single) or 0
        tagged = _tagged(wiring, documents)
        found = [
            (document, one)
            for document, model in zip(documents, tagged, strict=True)
            for one in suggest(connection, dataset, document.text, sources, model)
            if one.span not in verdicts.get(document.id, {})
            and one.span not in document.spans
            and f"{document.id}:{one.start}:{one.end}:{one.label}" not in seen
        ]
    found.sort(key=lambda pair: abs((0.5 if pair[1].confidence is None else pair[1].confidence) - 0.5))
    return JudgementQueue(items=[_item(document, one) for document, one in found[:limit]], judged=count)


@router.post(
    "/documents/{document_id}/judgements",
    response_model=JudgementStored,
    status_code=201,
    responses=refusals(409, 422),
)
@role("annotator")
def judge(document_id: str, body: JudgementRequest, wiring: Wired, caller: Called) -> JudgementStored:
    """Say yes or no to one span. The rest of the document stays unknown: nothing becomes gold by it."""
    with wiring.database.transaction() as connection:
        document = get_document(connection, document_id)
        span = EntitySpan(body.start, body.end, body.label)
        if body.text is not None and body.text != span.surface(document.text):
            raise InvalidSpan(
                f"The span [{body.start}, {body.end}) does not cover the characters that were sent with it."
            )
        offer = Suggestion(
            *(body.start, body.end, body.label, body.source, body.source_version), confidence=body.confidence
        )
        is_new = judge_offer(
            connection,
            document_id,
            document.text,
            offer,
            body.verdict,
            operation_id=body.operation_id,
            author=caller.name,
        )
        if is_new:
            details = {"dataset": document.dataset, "verdict": body.verdict, "source": body.source}
            audit.append(connection, actor=caller.name, action="span.judged", subject=document_id, details=details)
    return JudgementStored(document_id=document_id, is_new=is_new)


@router.get("/datasets/{name}/judgements", response_model=PartialList)
@role("viewer")
def partial(name: str, wiring: Wired) -> PartialList:
    """The documents of which only single spans were judged, and that nobody has settled since: what is an entity, what
    is none, and all the rest unknown."""
    with wiring.database.reading() as connection:
        found = partial_labels(connection, name)
    return partial_shape(found)


def _tagged(wiring: Wiring, documents: list[Document]) -> list[list[Suggestion]]:
    stable = wiring.serving.lineup.stable
    if stable is None or not documents:
        return [[] for _ in documents]
    answers = stable.tagger.tag([document.text[:_LONGEST_CHARACTERS] for document in documents])
    return [
        [
            Suggestion(span.start, span.end, span.label, "model", stable.version, confidence=span.confidence)
            for span in answer.spans
        ]
        for answer in answers
    ]


def _item(document: Document, one: Suggestion) -> JudgementItem:
    text = document.text
    return JudgementItem(
        document_id=document.id,
        dataset=document.dataset,
        before=text[max(0, one.start - _AROUND) : one.start],
        surface=text[one.start : one.end],
        after=text[one.end : one.end + _AROUND],
        start=one.start,
        end=one.end,
        label=one.label,
        source=one.source,
        source_version=one.version,
        confidence=one.confidence,
    )
