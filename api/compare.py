"""Two versions side by side: on a text, on a dataset, or on shadowed traffic."""

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import Response

from annotation.datasets import list_documents
from annotation.shadow_labels import shadowed_texts
from api.answering import check_text
from api.bodies import refusals
from api.csv_table import csv_table
from api.exchange import Caller
from api.roles import Called, Wired, guarded_router, role
from api.schemas import CompareRequest, CompareResponse
from api.serving import Served
from api.wiring import Wiring
from dashboards import compare as comparison
from ner.documents import Document, LabelledText
from ner.errors import InvalidInput
from ner.predictions import ScoredSpan, Variant
from ner.roles import require_role

router = guarded_router(prefix="/api/v1", tags=["versions"])

_CHUNK = 64
_ALIASES: dict[str, Variant] = {"stable": "stable", "canary": "canary", "previous": "previous"}
_REFUSALS = refusals(401, 403, 404, 413, 422, 503)


@router.post("/compare", response_model=CompareResponse, responses=_REFUSALS)
@role("viewer")
def compare(body: CompareRequest, wiring: Wired, caller: Called) -> CompareResponse:
    """What two versions say about a text, the documents of a dataset, or shadowed traffic, and where they differ."""
    left, right, compared = _compared(body, wiring, caller)
    return CompareResponse(left=left, right=right, **compared)


@router.post("/compare/csv", response_class=Response, responses=_REFUSALS)
@role("viewer")
def compare_as_csv(
    body: CompareRequest, wiring: Wired, caller: Called, table: Literal["differences", "labels"] = "differences"
) -> Response:
    """The same as CSV: one row for each difference, or for each label."""
    _, _, compared = _compared(body, wiring, caller)
    if table == "differences":
        return csv_table(comparison.difference_rows(compared))
    names = ("difference", "low", "high")
    rows = [
        {name: value for name, value in label.items() if name != "f1_difference"}
        | {f"f1_{name}": (label["f1_difference"] or {}).get(name) for name in names}
        for label in compared["labels"]
    ]
    return csv_table(rows)


def _compared(body: CompareRequest, wiring: Wiring, caller: Caller) -> tuple[str, str, dict[str, Any]]:
    if sum(one is not None for one in (body.text, body.dataset, body.source)) != 1:
        raise InvalidInput("Send either a text, or the name of a dataset, or the source 'shadow'.")
    left, right = version_called(wiring, body.left or "stable"), version_called(wiring, body.right or "canary")
    documents = _documents(wiring, body, caller, left.version, right.version)
    compared = comparison.compare(documents, found_by(left, documents), found_by(right, documents))
    if body.source == "shadow":
        # Chosen because the versions differ: a score of these would be nobody's. The verdict weighs them back.
        compared |= {"left_score": None, "right_score": None, "f1_difference": None}
    return left.version, right.version, compared


def _documents(wiring: Wiring, body: CompareRequest, caller: Caller, left: str, right: str) -> list[Document]:
    if body.text is not None:
        return [Document(id="", dataset="", text=check_text(body.text, wiring.settings.max_text_characters))]
    with wiring.database.reading() as connection:
        if body.source == "shadow":
            require_role(caller.role, "annotator")
            return shadowed_texts(connection, wiring.seals, left, right, limit=body.limit)
        found, _ = list_documents(connection, str(body.dataset), offset=0, limit=body.limit)
    return found


def version_called(wiring: Wiring, name: str) -> Served:
    """The version of a number or an alias. Raises NotFound, NoServingVersion, or BrokenPackage."""
    alias = _ALIASES.get(name)
    return wiring.serving.by_alias(alias) if alias is not None else wiring.serving.version(name)


def found_by(served: Served, documents: Sequence[Document | LabelledText]) -> list[tuple[ScoredSpan, ...]]:
    """What a version finds: in this thread, not in those of the hot path, which a long comparison must not hold up."""
    found: list[tuple[ScoredSpan, ...]] = []
    for first in range(0, len(documents), _CHUNK):
        texts = [document.text for document in documents[first : first + _CHUNK]]
        found.extend(tagged.spans for tagged in served.tagger.tag(texts))
    return found
