"""Quality: how good each version is, by label, by mistake, and by how far its confidence can be trusted."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import streamlit as st

from dashboards import figures
from workbench.api_client import ApiError, Body
from workbench.browser import api
from workbench.charts import clicked, draw, draw_tabs, theme
from workbench.downloads import draw_downloads
from workbench.layout import empty_state, heading, pick_version, score
from workbench.look import highlighted, plural

_SHOWN = 20
_DAYS_BACK = {"day": 28, "week": 182}
_TABLES = {
    "versions": "All versions",
    "labels": "Labels",
    "tags": "Tags",
    "confusion": "Confusions",
    "reliability": "Reliability",
    "confidence": "Confidence",
}
_FIGURES = {"F1": "f1", "Precision": "precision", "Recall": "recall"}
_BASES = {"measured": "texts that people settled", "estimated": "all answers, without labels"}


class Cell(NamedTuple):
    """A cell of mistakes; `place` is its row and column in the matrix."""

    true: str | None
    predicted: str | None
    spans: int
    place: tuple[int, int]


def page() -> None:
    """All versions on one line, then one version in depth."""
    heading(
        "Quality",
        "Strict entity F1 on each version's own test part: an entity counts when its borders and its label are right.",
    )
    body = api().quality()
    versions: list[Body] = [version for version in body["versions"] if version["f1"] is not None]
    if not versions:
        empty_state("Nothing measured yet", "Train a version on the Train page; its scores appear here.")
        return
    draw(figures.f1_by_version(body, theme()), key="quality_versions")
    _say_if_not_alike(versions)
    chosen = _pick(versions, body["stable"])
    _draw_summary(chosen)
    parts = {
        "By label": _draw_labels,
        "By tag": _draw_tags,
        "Confusions": _draw_confusion,
        "Confidence": _draw_confidence,
        "Over time": _draw_over_time,
    }
    draw_tabs({name: partial(part, chosen) for name, part in parts.items()}, key="quality_parts")


def _say_if_not_alike(versions: Sequence[Body]) -> None:
    """Scores from different test parts do not stand beside each other fairly; the page says so."""
    if len({version["data_version"] for version in versions}) > 1:
        st.caption(
            "These versions have different data, so they may have been tested on different documents. "
            "The Compare page lets two versions read the same documents."
        )


def _pick(versions: Sequence[Body], stable: str | None) -> Body:
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        name = pick_version("Version", versions, key="quality_version", preferred=stable)
    with right:
        draw_downloads(_TABLES, version=name)
    return next(version for version in versions if version["version"] == name)


def _draw_summary(version: Body) -> None:
    columns = st.columns(4)
    for column, name in zip(columns, ("f1", "precision", "recall"), strict=False):
        with column:
            score(name.capitalize(), version[name], version[f"{name}_interval"], border=True)
    entities = f"{version['entities'] or 0:,} entities"
    columns[3].metric(
        "Test documents", f"{version['documents'] or 0:,}", entities, delta_color="off", delta_arrow="off", border=True
    )


def _draw_labels(version: Body) -> None:
    draw(figures.per_label_bars(version, theme()), key="quality_labels")


def _draw_tags(version: Body) -> None:
    draw(figures.per_tag_bars(version, theme()), key="quality_tags")


def _draw_confusion(version: Body) -> None:
    draw(figures.outcome_bar(version, theme()), key="quality_outcomes")
    cells = _mistakes(version.get("confusion") or {})
    draw(figures.confusion_heatmap(version, theme()), key="quality_confusion", on_click=partial(_open_cell, cells))
    _draw_behind_a_cell(version, cells)


def _open_cell(cells: Sequence[Cell]) -> None:
    """Show the documents behind the cell that was clicked."""
    point = clicked("quality_confusion")
    found = [cell for cell in cells if point and cell.place == tuple(point[:2])]
    if found:
        st.session_state["quality_cell"] = found[0]


def _draw_behind_a_cell(version: Body, cells: Sequence[Cell]) -> None:
    """The documents that are counted in one cell, the one with the most mistakes at first."""
    if not cells:
        return
    if st.session_state.get("quality_cell") not in cells:
        st.session_state.pop("quality_cell", None)
    chosen = st.selectbox(
        "Behind a cell", cells, format_func=_cell_name, key="quality_cell", help="Or click a cell of mistakes above."
    )
    try:
        body = api().quality_cell(version["version"], true=chosen.true, predicted=chosen.predicted, limit=_SHOWN)
    except ApiError as error:
        st.caption(error.message)
        return
    shown = _among(len(body["documents"]), chosen.spans)
    st.caption(f"{shown}; above each text what it should say, below what was said.")
    for document in body["documents"]:
        with st.container(border=True):
            for side in ("gold", "found"):
                marked = [_marked(span[side]) for span in document["spans"] if span[side]]
                st.html(highlighted(document["text"], marked, framed=False))


def _mistakes(confusion: Body) -> list[Cell]:
    """Each cell that is not on the diagonal, the one with the most spans first."""
    names = [*confusion.get("labels", [])[:-1], None]
    counted = [
        Cell(true, predicted, count, (row, column))
        for row, (true, counts) in enumerate(zip(names, confusion.get("matrix", []), strict=False))
        for column, (predicted, count) in enumerate(zip(names, counts, strict=False))
        if count and true != predicted
    ]
    return sorted(counted, key=lambda cell: -cell.spans)


def _cell_name(cell: Cell) -> str:
    if cell.true is None:
        return f"{cell.predicted}, made up ({cell.spans:,})"
    return f"{cell.true}, {f'taken for {cell.predicted}' if cell.predicted else 'missed'} ({cell.spans:,})"


def _among(documents: int, spans: int) -> str:
    return f"{plural(documents, 'document')} with some of the {plural(spans, 'span')} in this cell"


def _marked(span: Sequence[Any]) -> Body:
    start, end, label, *confidence = span
    return {"start": start, "end": end, "label": label, "confidence": confidence[0] if confidence else None}


def _draw_confidence(version: Body) -> None:
    left, right = st.columns(2)
    with left:
        draw(figures.reliability_curve(version, theme()), key="quality_reliability")
    with right:
        draw(figures.confidence_histogram(version, theme()), key="quality_histogram")


def _draw_over_time(version: Body) -> None:
    left, right, _ = st.columns([1, 1, 1])
    by = left.segmented_control("By", ["day", "week"], default="day", required=True, key="quality_by")
    figure = right.segmented_control("Figure", list(_FIGURES), default="F1", required=True, key="quality_figure")
    body = api().quality_over_time(days=_DAYS_BACK[by], by=by)
    points = [point for point in body["points"] if point["version"] == version["version"]]
    draw(figures.quality_over_time(points, _FIGURES[figure], theme()), key="quality_over_time")
    for kind, basis in _BASES.items():
        changes = [point[kind]["change"] for point in points if point[kind] and point[kind]["change"]]
        if changes:
            st.caption(f"F1 {kind} ({basis}): {_change(changes[-1])} from the {by} before.")


def _change(change: Body) -> str:
    low, high = change["low"], change["high"]
    word = "higher" if low > 0 else "lower" if high < 0 else "no sure change"
    return f"{word}, {100 * change['value']:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
