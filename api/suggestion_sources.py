"""Sources of suggestions beside the model: kept for each dataset, and an endpoint elsewhere asked on demand."""

from annotation.datasets import get_document
from annotation.endpoint import ask_endpoint, endpoint_target
from annotation.guidelines import guidelines_of
from annotation.offers import outcomes
from annotation.sources import SuggestionSource, delete_source, list_sources, load_source, save_source
from annotation.stored import load_dataset
from api.bodies import refusals
from api.offering import suggestion_shape
from api.roles import Called, Wired, guarded_router, role
from api.schemas.desk import AskAnswer, AskRequest, OutcomeShape, SourceList, SourceRequest, SourceShape
from ner.errors import InvalidInput
from ner.roles import require_role
from registry import audit
from registry.sealing import seal

_LOST_KEY = "The address is another one, so the key that was kept for the old one is gone: give the key for this one."
router = guarded_router(prefix="/api/v1", tags=["text"], responses=refusals(401, 403, 404))


@router.get("/datasets/{name}/sources", response_model=SourceList)
@role("viewer")
def list_all(name: str, wiring: Wired) -> SourceList:
    """The dataset's sources, and how often people took what each offered."""
    with wiring.database.reading() as connection:
        found, fared = list_sources(connection, name), outcomes(connection, name)
    return SourceList(
        sources=[_shape(source) for source in found],
        outcomes=[OutcomeShape.model_validate(one, from_attributes=True) for one in fared],
    )


@router.put("/datasets/{name}/sources/{source}", response_model=SourceShape, responses=refusals(422))
@role("engineer")
def save(name: str, source: str, body: SourceRequest, wiring: Wired, caller: Called) -> SourceShape:
    """Make a source, or change it. An endpoint sends texts to another machine: only an administrator may name one.

    Its key stays with its address: a change of the address without a key drops the key, and `notice` says so.
    """
    if body.kind == "endpoint":
        require_role(caller.role, "admin")
    elif body.key is not None:
        raise InvalidInput("Only an endpoint has a key.")
    sealed = seal(wiring.secret, body.key, context=_context(name, source)) if body.key is not None else None
    with wiring.database.transaction() as connection:
        saved = save_source(
            connection, name, source, body.kind, body.content, enabled=body.enabled, actor=caller.name, sealed=sealed
        )
        if saved.kind == "endpoint":
            endpoint_target(saved, may_be_private=wiring.settings.endpoint_private_addresses)
    return _shape(saved)


@router.delete("/datasets/{name}/sources/{source}", status_code=204)
@role("engineer")
def delete(name: str, source: str, wiring: Wired, caller: Called) -> None:
    """Remove a source. What became of its suggestions stays known."""
    with wiring.database.transaction() as connection:
        delete_source(connection, name, source, actor=caller.name)


@router.post("/documents/{document_id}/suggestions", response_model=AskAnswer, responses=refusals(422, 502))
@role("annotator")
def ask(document_id: str, body: AskRequest, wiring: Wired, caller: Called) -> AskAnswer:
    """Send a document to an endpoint of its dataset and place what comes back. Each question is in the audit trail."""
    with wiring.database.reading() as connection:
        document = get_document(connection, document_id)
        dataset = load_dataset(connection, document.dataset)
        source = load_source(connection, document.dataset, body.source)
        written = guidelines_of(connection, document.dataset)
        # Under whichever secret key sealed it: while the keys change, asking goes on.
        context = _context(document.dataset, source.name)
        key = wiring.seals.open(connection, source.sealed, context=context) if source.sealed else ""
    if source.kind != "endpoint" or not source.enabled:
        raise InvalidInput(f"'{source.name}' is no endpoint that is switched on.")
    with wiring.database.transaction() as connection:
        # Before it is sent: that a text left this machine is known even if no answer ever comes.
        details = {"dataset": document.dataset, "source": source.name, "version": source.version}
        audit.append(connection, actor=caller.name, action="source.asked", subject=document_id, details=details)
    guidelines = "\n".join(f"{one.label}: {one.words}" for one in written)
    may_be_private = wiring.settings.endpoint_private_addresses
    answer = ask_endpoint(source, key, document.text, dataset.labels, guidelines, may_be_private=may_be_private)
    return AskAnswer(
        suggestions=[suggestion_shape(one) for one in answer.suggestions],
        left_out=answer.left_out,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost=answer.cost,
        seconds=answer.seconds,
    )


def _context(dataset: str, source: str) -> str:
    return f"suggestion source {dataset} {source}"


def _shape(source: SuggestionSource) -> SourceShape:
    return SourceShape(
        name=source.name,
        kind=source.kind,
        content=source.content,
        version=source.version,
        enabled=source.enabled,
        has_key=source.sealed is not None,
        notice=_LOST_KEY if source.has_lost_key else None,
        changed_by=source.changed_by,
        changed_at=source.changed_at,
    )
