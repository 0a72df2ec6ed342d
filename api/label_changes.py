"""Search in a dataset, and changes of its labels: previewed, made, listed and undone."""

from typing import Annotated

from fastapi import Query

from annotation.changes import ChangeResult, list_changes, make_change, preview_change, undo_change
from annotation.relabelling import Change
from annotation.search import search_documents
from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas.datasets import (
    ChangedExample,
    ChangeList,
    ChangeOutcome,
    ChangeRequest,
    FoundDocument,
    HitShape,
    MadeChangeShape,
    SearchPage,
)
from api.shapes import document_shape, spans_shape

router = guarded_router(prefix="/api/v1/datasets/{name}", tags=["text"], responses=refusals(401, 403))


@router.get("/search", response_model=SearchPage, responses=refusals(404, 422))
@role("viewer")
def search(
    name: str,
    wiring: Wired,
    text: Annotated[str | None, Query(max_length=500)] = None,
    label: Annotated[str | None, Query(max_length=100)] = None,
    pattern: Annotated[str | None, Query(max_length=2_000)] = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> SearchPage:
    """Documents that hold `text` (in either case) and match the regular expression `pattern`. With `label` it is a
    span of that label that must hold and match them."""
    with wiring.database.reading() as connection:
        found, total = search_documents(
            connection,
            name,
            text=text or None,
            label=label or None,
            pattern=pattern or None,
            offset=offset,
            limit=limit,
        )
    shapes = [
        FoundDocument(
            document=document_shape(one.document), hits=[HitShape(start=start, end=end) for start, end in one.hits]
        )
        for one in found
    ]
    return SearchPage(found=shapes, total=total)


@router.get("/changes", response_model=ChangeList, responses=refusals(404))
@role("viewer")
def changes(name: str, wiring: Wired) -> ChangeList:
    """The changes of labels that were made in the dataset, newest first."""
    with wiring.database.reading() as connection:
        found = list_changes(connection, name)
    return ChangeList(
        changes=[
            MadeChangeShape(
                id=one.id,
                kind=one.change.kind,
                labels=list(one.change.labels),
                target=one.change.target,
                pattern=one.change.pattern,
                documents=one.documents,
                spans=one.spans,
                made_at=one.made_at,
                made_by=one.made_by,
                is_undone=one.is_undone,
            )
            for one in found
        ]
    )


@router.post("/changes/preview", response_model=ChangeOutcome, responses=refusals(404, 422))
@role("reviewer")
def preview(name: str, body: ChangeRequest, wiring: Wired) -> ChangeOutcome:
    """What a change would do, counted, with the first documents before and after it. Nothing is changed."""
    with wiring.database.reading() as connection:
        return _outcome(preview_change(connection, name, _change(body)))


@router.post("/changes", response_model=ChangeOutcome, status_code=201, responses=refusals(404, 422))
@role("reviewer")
def make(name: str, body: ChangeRequest, wiring: Wired, caller: Called) -> ChangeOutcome:
    """Rename, merge, split or delete labels, or relabel or remove the spans that match a pattern. Every document that
    it touches gets a new revision; what was there stays below it."""
    with wiring.database.transaction() as connection:
        return _outcome(make_change(connection, name, _change(body), actor=caller.name))


@router.post("/changes/{change}/undo", response_model=ChangeOutcome, responses=refusals(404, 409))
@role("reviewer")
def undo(name: str, change: str, wiring: Wired, caller: Called) -> ChangeOutcome:
    """Take a change back, once. What people corrected since stays as they left it."""
    with wiring.database.transaction() as connection:
        return _outcome(undo_change(connection, name, change, actor=caller.name))


def _change(body: ChangeRequest) -> Change:
    return Change(body.kind, tuple(body.labels), body.target, body.pattern)


def _outcome(result: ChangeResult) -> ChangeOutcome:
    return ChangeOutcome(
        id=result.id,
        labels=result.labels,
        documents=result.documents,
        spans=dict(result.spans.most_common()),
        merged=result.merged,
        examples=[
            ChangedExample(
                document_id=one.document_id,
                text=one.text,
                before=spans_shape(one.text, one.before),
                after=spans_shape(one.text, one.after),
            )
            for one in result.examples
        ],
    )
