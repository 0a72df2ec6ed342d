"""Two versions beside a person who labels: the next document on which they differ, and both their answers."""

import random
from typing import Literal

from annotation.capture import adopt_captured
from annotation.corrections import as_seen_by
from annotation.datasets import get_document
from annotation.shadow_labels import next_shadowed
from annotation.stored import load_dataset
from annotation.tasks import open_documents, take_next
from api.bodies import refusals
from api.compare import found_by, version_called
from api.exchange import Caller
from api.roles import Called, Wired, guarded_router, role
from api.schemas.pairs import PairShape, PairTaskShape, SideShape
from api.serving import Served
from api.shapes import document_shape, suggestions_shape
from api.wiring import Wiring
from dashboards import compare as comparison
from ner.documents import Document
from ner.errors import InvalidInput

router = guarded_router(prefix="/api/v1/pairs", tags=["text"], responses=refusals(401, 403, 404, 422, 503))

_POOL = 48
_POOLS = 6
_LONGEST_CHARACTERS = 5000
_MOST_EXCLUDED = 500


@router.get("/next", response_model=PairTaskShape)
@role("annotator")
def next_pair(
    wiring: Wired,
    caller: Called,
    dataset: str | None = None,
    source: Literal["traffic"] | None = None,
    left: str = "stable",
    right: str = "canary",
    exclude: str = "",
) -> PairTaskShape:
    """The next document on which two versions differ, leased as `tasks/next` does: of a `dataset` the one of a few
    dozen on which they differ most, with `source=traffic` a kept text of shadowed traffic.
    """
    if (dataset is None) == (source is None):
        raise InvalidInput("Name a dataset, or ask for source=traffic.")
    one, other = version_called(wiring, left), version_called(wiring, right)
    seen = [name for name in exclude.split(",") if name][:_MOST_EXCLUDED]
    if dataset is None:
        document, reason, remaining = next_of_shadow(wiring, caller, one.version, other.version, seen)
    else:
        chosen, why = differing_documents(wiring, dataset, caller.name, seen, one, other)
        with wiring.database.transaction() as connection:
            document, reason, remaining = take_next(connection, dataset, caller.name, exclude=seen, among=chosen)
            document = document and as_seen_by(connection, document, caller.name)
        reason = (
            why
            if document
            else f"Versions {one.version} and {other.version} agree on what is left, as far as was looked."
        )
    if document is None:
        return PairTaskShape(document=None, reason=reason, remaining=0)
    return _task(wiring, document, reason, remaining, one, other)


@router.get("/{document_id}", response_model=PairTaskShape)
@role("annotator")
def pair_of(
    document_id: str, wiring: Wired, caller: Called, left: str = "stable", right: str = "canary"
) -> PairTaskShape:
    """One named document with the answers of two versions."""
    with wiring.database.reading() as connection:
        document = as_seen_by(connection, get_document(connection, document_id), caller.name)
    one, other = version_called(wiring, left), version_called(wiring, right)
    return _task(wiring, document, "Opened by name.", 0, one, other)


def next_of_shadow(
    wiring: Wiring, caller: Caller, stable: str, canary: str, seen: list[str]
) -> tuple[Document | None, str, int]:
    """The kept text of shadowed traffic that is to be labelled next, as a document."""
    with wiring.database.transaction() as connection:
        request_id, reason, remaining = next_shadowed(connection, stable, canary, exclude=seen)
        if request_id is None:
            return None, reason, remaining
        return adopt_captured(connection, wiring.seals, request_id, caller.name), reason, remaining


def differing_documents(
    wiring: Wiring, dataset: str, author: str, seen: list[str], left: Served, right: Served
) -> tuple[list[str], str]:
    """(ids to choose from, why): of some dozens at random the one on which the versions differ most; none where they
    agree on everything that was looked at. Raises NotFound for the dataset.
    """
    with wiring.database.reading() as connection:
        waiting = open_documents(connection, dataset, author, exclude=seen)
        drawn = random.sample(waiting, min(_POOL * _POOLS, len(waiting)))
        for first in range(0, len(drawn), _POOL):
            pool = [get_document(connection, name) for name in drawn[first : first + _POOL]]
            short = [document for document in pool if len(document.text) <= _LONGEST_CHARACTERS]
            compared = comparison.compare_documents(short, found_by(left, short), found_by(right, short))
            most = max(compared, key=comparison.differing, default=None)
            if most is not None and comparison.differing(most):
                count = comparison.differing(most)
                spans = "1 span" if count == 1 else f"{count} spans"
                return [most["document_id"]], f"Versions {left.version} and {right.version} differ here on {spans}."
    return [], ""


def _task(
    wiring: Wiring, document: Document, reason: str, remaining: int, left: Served, right: Served
) -> PairTaskShape:
    with wiring.database.reading() as connection:
        dataset = load_dataset(connection, document.dataset)
    (ours,), (theirs,) = found_by(left, [document]), found_by(right, [document])
    (compared,) = comparison.compare_documents([document], [ours], [theirs])
    return PairTaskShape(
        document=document_shape(document),
        pair=PairShape(
            left=SideShape(version=left.version, spans=suggestions_shape(ours)),
            right=SideShape(version=right.version, spans=suggestions_shape(theirs)),
            differences=compared["differences"],
        ),
        model_version=f"{left.version} and {right.version}",
        reason=reason,
        labels=list(dict.fromkeys([*dataset.labels, *sorted({span.label for span in (*ours, *theirs)})])),
        nesting=dataset.nesting,
        remaining=remaining,
    )
