"""Two versions side by side, on one text or on a dataset."""

from collections.abc import Sequence

from annotation.datasets import list_documents
from api.answering import check_text
from api.bodies import refusals
from api.roles import Wired, guarded_router, role
from api.schemas import CompareRequest, CompareResponse
from api.serving import Served
from api.wiring import Wiring
from dashboards import compare as comparison
from ner.documents import Document
from ner.errors import InvalidInput
from ner.predictions import ScoredSpan, Variant

router = guarded_router(prefix="/api/v1", tags=["versions"])

_CHUNK = 64
_ALIASES: dict[str, Variant] = {"stable": "stable", "canary": "canary", "previous": "previous"}


@router.post("/compare", response_model=CompareResponse, responses=refusals(401, 403, 404, 413, 422, 503))
@role("viewer")
def compare(body: CompareRequest, wiring: Wired) -> CompareResponse:
    """What two versions say about a text, or about the documents of a dataset, and where they differ."""
    documents = _documents(wiring, body)
    left, right = _version(wiring, body.left or "stable"), _version(wiring, body.right or "canary")
    compared = comparison.compare(documents, _found(left, documents), _found(right, documents))
    return CompareResponse(left=left.version, right=right.version, **compared)


def _documents(wiring: Wiring, body: CompareRequest) -> list[Document]:
    if (body.text is None) == (body.dataset is None):
        raise InvalidInput("Send either a text or the name of a dataset.")
    if body.text is not None:
        return [Document(id="", dataset="", text=check_text(body.text, wiring.settings.max_text_characters))]
    with wiring.database.reading() as connection:
        found, _ = list_documents(connection, str(body.dataset), offset=0, limit=body.limit)
    return found


def _version(wiring: Wiring, name: str) -> Served:
    alias = _ALIASES.get(name)
    return wiring.serving.by_alias(alias) if alias is not None else wiring.serving.version(name)


def _found(served: Served, documents: Sequence[Document]) -> list[tuple[ScoredSpan, ...]]:
    """In this thread, not in those of the hot path, which a long comparison must not hold up."""
    found: list[tuple[ScoredSpan, ...]] = []
    for first in range(0, len(documents), _CHUNK):
        texts = [document.text for document in documents[first : first + _CHUNK]]
        found.extend(tagged.spans for tagged in served.tagger.tag(texts))
    return found
