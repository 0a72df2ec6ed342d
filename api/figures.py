"""How good the versions are, what traffic looks like, and whether it still is what they were trained for."""

import json
from typing import Annotated, Any

from fastapi import Path, Query, Response
from sqlalchemy.engine import Connection

from annotation.capture import kept_texts
from annotation.stored import documents_by_digest, load_dataset
from api.bodies import refusals
from api.csv_table import csv_table
from api.roles import Called, Wired, guarded_router, role
from api.schemas.cells import CellDocumentShape, CellShape, DriftedDocuments
from api.schemas.desk import CurveList, CurveShape
from api.wiring import Wiring
from dashboards import tables
from dashboards.cells import behind_cell
from dashboards.drift import drift
from dashboards.drifted import drifted_documents
from dashboards.learning_curve import learning_curves
from dashboards.quality import quality
from dashboards.quality_over_time import Stretch, quality_over_time, table_of
from dashboards.traffic import traffic
from ner.errors import BrokenPackage, NoServingVersion, NotFound
from ner.roles import reaches
from registry.rollout import current_rollout
from registry.versions import get_version

router = guarded_router(prefix="/api/v1", tags=["figures"], responses=refusals(401, 403))

Hours = Annotated[float, Query(gt=0, le=24 * 366, description="How far to look back.")]
Days = Annotated[int, Query(ge=1, le=366, description="How far to look back.")]
_TABLE = ("version", "from", "kind", "figure", "documents", "value", "low", "high")


@router.get("/quality")
@role("viewer")
def show_quality(wiring: Wired) -> dict[str, Any]:
    """Every version with its scores on its own test part."""
    with wiring.database.reading() as connection:
        return quality(connection)


@router.get("/quality/over-time", responses=refusals(422))
@role("viewer")
def show_quality_over_time(wiring: Wired, days: Days = 28, by: Stretch = "day") -> dict[str, Any]:
    """Each version's F1 day by day or week by week: on what people settled of traffic, and estimated without labels."""
    wiring.log.flush()
    with wiring.database.reading() as connection:
        return quality_over_time(connection, days=days, by=by)


@router.get("/quality/over-time/csv", response_class=Response, responses=refusals(422))
@role("viewer")
def show_quality_over_time_as_csv(wiring: Wired, days: Days = 28, by: Stretch = "day") -> Response:
    """The same as CSV: one row for each version, day or week, kind and figure."""
    return csv_table(table_of(show_quality_over_time(wiring, days, by)), _TABLE)


@router.get("/quality/{version}/cell", response_model=CellShape, responses=refusals(404, 422))
@role("viewer")
def show_cell(
    version: str,
    wiring: Wired,
    true: Annotated[str | None, Query(description="The gold label; left out: none, the version made it up.")] = None,
    predicted: Annotated[str | None, Query(description="What the version said; left out: it missed it.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> CellShape:
    """The documents behind one cell of a version's confusion matrix, with the spans that are counted there."""
    with wiring.database.reading() as connection:
        record = get_version(connection, version)
        content = _packaged(wiring, version, record.package_hash, "cells.json")
        behind = behind_cell(content, true=true, predicted=predicted)
        documents = documents_by_digest(connection, record.dataset, list(behind)[:limit])
    shown = [
        CellDocumentShape(id=documents[digest].id, text=documents[digest].text, spans=spans)
        for digest, spans in behind.items()
        if digest in documents
    ]
    return CellShape(spans=sum(len(spans) for spans in behind.values()), documents=shown)


@router.get("/datasets/{name}/learning-curve", response_model=CurveList, responses=refusals(404))
@role("viewer")
def show_learning_curve(name: str, wiring: Wired) -> CurveList:
    """What more text is worth: F1 of the dataset's versions against the documents that they learned from."""
    with wiring.database.reading() as connection:
        load_dataset(connection, name)
        found = learning_curves(connection, name)
    return CurveList(curves=[CurveShape.model_validate(one, from_attributes=True) for one in found])


@router.get("/traffic", responses=refusals(422))
@role("viewer")
def show_traffic(wiring: Wired, hours: Hours = 24) -> dict[str, Any]:
    """Requests, errors, latencies and shares of recent traffic, and the verdict on the canary."""
    wiring.log.flush()
    with wiring.database.reading() as connection:
        return traffic(connection, hours=hours, counters=wiring.counters)


@router.get("/drift", responses=refusals(404, 422, 503))
@role("viewer")
def show_drift(wiring: Wired, version: str | None = None, hours: Hours = 24) -> dict[str, Any]:
    """A version's recent traffic (the stable one's unless named) beside the text that it was measured on."""
    wiring.log.flush()
    with wiring.database.reading() as connection:
        chosen, digest = _watched(connection, version)
        return drift(connection, chosen, _profile(wiring, chosen, digest), hours=hours)


@router.get("/drift/documents", response_model=DriftedDocuments, responses=refusals(404, 422, 503))
@role("viewer")
def show_drifted_documents(
    wiring: Wired,
    caller: Called,
    measure: Annotated[str, Query(description="The name of a measure, as drift gives it.")],
    version: str | None = None,
    hours: Hours = 24,
    kept: Annotated[bool, Query(description="Only answers whose text was kept for correction.")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> DriftedDocuments:
    """The answers that stand out most by one measure of drift. Kept texts are shown to annotators."""
    wiring.log.flush()
    with wiring.database.reading() as connection:
        chosen, digest = _watched(connection, version)
        profile = _profile(wiring, chosen, digest)
        rows = drifted_documents(connection, chosen, profile, measure, hours=hours, limit=limit, kept=kept)
        may_read = reaches(caller.role, "annotator")
        texts = kept_texts(connection, wiring.seals, [row["request_id"] for row in rows]) if may_read else {}
    shown = [
        row | {"text": texts[row["request_id"]].text, "document": texts[row["request_id"]].document_id}
        if row["request_id"] in texts
        else row
        for row in rows
    ]
    return DriftedDocuments.model_validate({"version": chosen, "measure": measure, "documents": shown})


@router.get("/figures/{table}/csv", response_class=Response, responses=refusals(404, 422, 503))
@role("viewer")
def show_table(
    table: Annotated[str, Path(description=f"One of {', '.join(tables.NAMES)}.")],
    wiring: Wired,
    version: str | None = None,
    hours: Hours = 24,
) -> Response:
    """The numbers of a figure as CSV; of the stable version unless another is named."""
    if table in tables.OF_TRAFFIC:
        return csv_table(tables.OF_TRAFFIC[table](show_traffic(wiring, hours)))
    if table in tables.OF_DRIFT:
        return csv_table(tables.OF_DRIFT[table](show_drift(wiring, version, hours)))
    if table in tables.OF_QUALITY:
        return csv_table(tables.OF_QUALITY[table](show_quality(wiring)))
    if table not in tables.OF_VERSION:
        raise NotFound(f"There is no table '{table}'; there are {', '.join(tables.NAMES)}.")
    with wiring.database.reading() as connection:
        chosen, _ = _watched(connection, version)
        one = next(one for one in quality(connection)["versions"] if one["version"] == chosen)
    return csv_table(tables.OF_VERSION[table](one))


def _watched(connection: Connection, version: str | None) -> tuple[str, str]:
    """The named version or the stable one, and the hash of its package. Raises NoServingVersion, or NotFound."""
    chosen = version or current_rollout(connection).stable
    if chosen is None:
        raise NoServingVersion("No version is stable yet; name the version to look at.")
    return chosen, get_version(connection, chosen).package_hash


def _profile(wiring: Wiring, version: str, digest: str) -> dict[str, Any]:
    return _packaged(wiring, version, digest, "profile.json")


def _packaged(wiring: Wiring, version: str, digest: str, name: str) -> dict[str, Any]:
    path = wiring.packages.folder(version, digest) / name
    if not path.exists():
        raise BrokenPackage(f"Version {version} has no {name}: it was made before there was one. Train it again.")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
