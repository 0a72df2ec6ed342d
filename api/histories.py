"""A document's past and its end: old answers restored, answers that every version has to give, and erasure."""

from annotation.erasure import erase_text
from annotation.history import require_answer, restore_revision
from api.bodies import refusals
from api.roles import Called, Wired, guarded_router, role
from api.schemas import AnnotationResponse, DocumentShape
from api.schemas.desk import ErasedShape, EraseRequest, MustPassShape, RestoreRequest
from api.shapes import document_shape
from registry.bucket import open_bucket

router = guarded_router(prefix="/api/v1/documents/{document_id}", tags=["text"], responses=refusals(401, 403, 404))


@router.post(
    "/revisions/{revision}/restore", response_model=AnnotationResponse, status_code=201, responses=refusals(409, 422)
)
@role("reviewer")
def restore(document_id: str, revision: int, body: RestoreRequest, wiring: Wired, caller: Called) -> AnnotationResponse:
    """Say again what an old revision said: a new revision, and gold. What came in between stays in the history."""
    with wiring.database.transaction() as connection:
        saved = restore_revision(
            connection,
            document_id,
            revision,
            base_revision=body.base_revision,
            operation_id=body.operation_id,
            author=caller.name,
        )
    return AnnotationResponse(document_id=document_id, revision=saved.revision, is_gold=saved.is_gold)


@router.put("/must-pass", response_model=DocumentShape, responses=refusals(409, 422))
@role("reviewer")
def must_pass(document_id: str, body: MustPassShape, wiring: Wired, caller: Called) -> DocumentShape:
    """Whether every version has to answer this document exactly as it is settled. Versions that do not are not
    promoted, and none learns from it."""
    with wiring.database.transaction() as connection:
        return document_shape(require_answer(connection, document_id, is_required=body.required, actor=caller.name))


@router.post("/erase", response_model=ErasedShape, responses=refusals(422))
@role("admin")
def erase(document_id: str, body: EraseRequest, wiring: Wired, caller: Called) -> ErasedShape:
    """Erase the document's text everywhere: every document that holds it with all that was said about it, kept texts of
    traffic, and lines of snapshots. It cannot be undone."""
    with wiring.database.transaction() as connection:
        erased = erase_text(
            connection,
            document_id,
            seals=wiring.seals,
            folder=wiring.settings.artifacts,
            actor=caller.name,
            reason=body.reason,
            bucket=open_bucket(wiring.settings),
        )
    return ErasedShape.model_validate(erased, from_attributes=True)
