"""What people tell each other: comments on documents, and guidelines of labels."""

from typing import Annotated

from fastapi import Query

from annotation.comments import add_comment, comments_in, comments_of, settle_comment
from annotation.guidelines import affected_by, guidelines_of, write_guideline
from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas.desk import (
    AffectedList,
    AffectedShape,
    CommentList,
    CommentRequest,
    CommentShape,
    GuidelineList,
    GuidelineRequest,
    GuidelineShape,
    SettledShape,
)
from api.shapes import spans_shape
from ner.errors import InvalidInput

router = guarded_router(prefix="/api/v1", tags=["text"], responses=refusals(401, 403, 404))


@router.get("/documents/{document_id}/comments", response_model=CommentList)
@role("viewer")
def on_document(document_id: str, wiring: Wired) -> CommentList:
    """The comments on a document, settled or not."""
    with wiring.database.reading() as connection:
        found = comments_of(connection, document_id)
    return CommentList(comments=[CommentShape.model_validate(one, from_attributes=True) for one in found])


@router.post("/documents/{document_id}/comments", response_model=CommentShape, status_code=201, responses=refusals(422))
@role("annotator")
def comment(document_id: str, body: CommentRequest, wiring: Wired, caller: Called) -> CommentShape:
    """Comment on a document, or on some characters of it."""
    if (body.start is None) != (body.end is None):
        raise InvalidInput("Send both 'start' and 'end', or neither.")
    place = (body.start, body.end) if body.start is not None and body.end is not None else None
    with wiring.database.transaction() as connection:
        made = add_comment(connection, document_id, body.words, author=caller.name, place=place)
    return CommentShape.model_validate(made, from_attributes=True)


@router.put("/comments/{comment_id}", response_model=CommentShape)
@role("annotator")
def settle(comment_id: str, body: SettledShape, wiring: Wired, caller: Called) -> CommentShape:
    """Settle a comment, or open it again."""
    with wiring.database.transaction() as connection:
        found = settle_comment(connection, comment_id, actor=caller.name, is_settled=body.settled)
    return CommentShape.model_validate(found, from_attributes=True)


@router.get("/datasets/{name}/comments", response_model=CommentList)
@role("viewer")
def in_dataset(name: str, wiring: Wired, settled: bool = False) -> CommentList:
    """The comments in a dataset that wait for somebody; with `settled` all of them."""
    with wiring.database.reading() as connection:
        found = comments_in(connection, name, open_only=not settled)
    return CommentList(comments=[CommentShape.model_validate(one, from_attributes=True) for one in found])


@router.get("/datasets/{name}/guidelines", response_model=GuidelineList)
@role("viewer")
def guidelines(name: str, wiring: Wired, label: str | None = None) -> GuidelineList:
    """The newest guideline of each label; with `label` all of its versions, newest first."""
    with wiring.database.reading() as connection:
        found = guidelines_of(connection, name, label=label)
    return GuidelineList(guidelines=[GuidelineShape.model_validate(one, from_attributes=True) for one in found])


@router.put("/datasets/{name}/guidelines/{label}", response_model=GuidelineShape, responses=refusals(409, 422))
@role("reviewer")
def write(name: str, label: str, body: GuidelineRequest, wiring: Wired, caller: Called) -> GuidelineShape:
    """Write the next version of what a label means. 409 when somebody wrote a newer one than `base_version`."""
    examples = [one.model_dump() for one in body.examples]
    with wiring.database.transaction() as connection:
        written = write_guideline(
            connection, name, label, body.words, examples, base_version=body.base_version, author=caller.name
        )
    return GuidelineShape.model_validate(written, from_attributes=True)


@router.get("/datasets/{name}/guidelines/{label}/affected", response_model=AffectedList)
@role("viewer")
def affected(name: str, label: str, wiring: Wired, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> AffectedList:
    """Settled documents whose spans of the label are older than its newest guideline."""
    with wiring.database.reading() as connection:
        found, total = affected_by(connection, name, label, limit=limit)
    shapes = [
        AffectedShape(
            document_id=one.document_id,
            text=one.text,
            spans=spans_shape(one.text, one.spans),
            settled_at=one.settled_at,
            guideline_version=one.guideline_version,
        )
        for one in found
    ]
    return AffectedList(documents=shapes, total=total)
