"""What two versions say about the same documents, drawn: counts, labels, and document after document."""

import html
import math
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from dashboards.figures import label_changes
from workbench.api_client import Body
from workbench.browser import api
from workbench.charts import draw, theme
from workbench.layout import empty_state, score
from workbench.look import difference_in_words, highlighted, plural

KINDS = {
    "label": "other label",
    "border": "other border",
    "both": "other label and border",
    "missing": "only in left",
    "spurious": "only in right",
}
ORDERS = {
    "both": "Both were sure",
    "left": "{left} was surest",
    "right": "{right} was surest",
    "most": "Most differences",
}
PER_PAGE = 8
Open = Callable[[str], None]


def draw_counts(result: Body) -> None:
    """How many documents and spans differ, and how."""
    counts = result["counts"]
    with st.container(horizontal=True, vertical_alignment="center", key="compare_counts"):
        if result["compared"] > 1:
            st.markdown(
                f"**{result['different']} of {plural(result['compared'], 'document')}** differ", width="content"
            )
        st.badge(f"{counts.get('match', 0):,} alike", color="green")
        for kind, name in KINDS.items():
            if counts.get(kind):
                st.badge(f"{counts[kind]:,} {_sided(name, result['left'], result['right'])}", color="orange")
    if not any(counts.get(kind) for kind in KINDS):
        st.caption("The two versions agree on everything here.")


def draw_scores(result: Body) -> None:
    """Both scores with their intervals, and the paired difference as a sentence."""
    left, right = result["left_score"], result["right_score"]
    if left and right:
        one, other, words = st.columns([1, 1, 2], vertical_alignment="center")
        with one:
            score(f"F1 of {result['left']}", left["f1"], left.get("f1_interval"), border=True)
        with other:
            score(f"F1 of {result['right']}", right["f1"], right.get("f1_interval"), border=True)
        words.markdown(difference_in_words(result["f1_difference"], result["left"], result["right"]))
    else:
        st.markdown(difference_in_words(result["f1_difference"], result["left"], result["right"]))


def draw_labels(result: Body) -> None:
    """Which labels gain and lose; without settled truth, which version finds more."""
    if any(label["f1_difference"] for label in result["labels"]):
        draw(label_changes(result["labels"], result["left"], result["right"], theme()), key="compare_labels")
        return
    rows = {
        "Label": [label["label"] for label in result["labels"]],
        "Both": [label["both"] for label in result["labels"]],
        f"Only {result['left']}": [label["only_left"] for label in result["labels"]],
        f"Only {result['right']}": [label["only_right"] for label in result["labels"]],
    }
    if result["labels"]:
        st.dataframe(rows, hide_index=True, width="content")


def draw_downloads(what: Body) -> None:
    """The same numbers as CSV."""
    with st.container(horizontal=True):
        for table, name in (("differences", "Differences"), ("labels", "Labels")):
            st.download_button(
                f"{name} as CSV",
                data=lambda table=table: api(timeout_seconds=300).compare_csv(table, **what),
                file_name=f"{table}.csv",
                mime="text/csv",
                icon=":material/download:",
                key=f"compare_csv_{table}",
                on_click="ignore",
            )


def draw_documents(result: Body, *, decide: Open | None) -> None:
    """The documents that changed, in the order that the reader asks for. `decide` opens one in two panes."""
    left, middle, _ = st.columns([1.6, 1, 2], vertical_alignment="bottom")
    order = left.selectbox(
        "First",
        list(ORDERS),
        format_func=lambda name: ORDERS[name].format(left=result["left"], right=result["right"]),
        key="compare_order",
        persist_state="session",
    )
    only = middle.toggle("Only disagreements", value=True, key="compare_only", persist_state="session")
    shown = [document for document in result["documents"] if document["is_different"] or not only]
    if not shown:
        empty_state("No disagreement", f"The two versions agree on all {plural(result['compared'], 'document')}.")
        return
    shown.sort(key=lambda document: _rank(document, str(order)), reverse=True)
    pages = math.ceil(len(shown) / PER_PAGE)
    number = st.pagination(pages, key=f"compare_page_{only}_{order}") if pages > 1 else 1
    for place, document in enumerate(shown[(number - 1) * PER_PAGE : number * PER_PAGE]):
        with st.container(border=True):
            draw_document(document, result["left"], result["right"])
            if decide and document["document_id"] and document["is_different"]:
                name = document["document_id"]
                st.button(
                    "Decide between them",
                    key=f"decide_{place}_{name}",
                    icon=":material/compare_arrows:",
                    type="tertiary",
                    on_click=decide,
                    args=(name,),
                )


def _rank(document: Body, order: str) -> tuple[bool, float, int]:
    ours, theirs = document["left_sure"], document["right_sure"]
    count = sum(found["kind"] != "match" for found in document["differences"])
    sure = {"both": (ours or 0) + (theirs or 0), "left": ours or 0, "right": theirs or 0, "most": count}[order]
    return document["is_different"], sure, count


def draw_document(document: Body, left: str, right: str) -> None:
    """Both answers with the spans they disagree on outlined, then each difference in words."""
    differing = [found for found in document["differences"] if found["kind"] != "match"]
    one, other = st.columns(2)
    for column, name, side in ((one, left, "left"), (other, right, "right")):
        odd = {_place(found[side]) for found in differing if found[side]}
        spans = [{**span, "mark": "ner-differs" if _place(span) in odd else ""} for span in document[side]]
        column.caption(f"**{name}** · {plural(len(spans), 'entity', 'entities')}")
        column.html(highlighted(document["text"], spans, framed=False))
    if document["gold"] is not None and differing:
        st.caption("Settled truth")
        st.html(highlighted(document["text"], document["gold"], framed=False))
    if differing:
        items = "".join(f"<li>{_in_words(found, document['text'], left, right)}</li>" for found in differing)
        st.html(f'<ul class="ner-differences">{items}</ul>')


def _sided(name: str, left: str, right: str) -> str:
    """A kind of difference with the versions' names in place of the sides."""
    return name.replace("left", left).replace("right", right)


def _place(span: Mapping[str, object]) -> tuple[object, object, object]:
    return span["start"], span["end"], span["label"]


def _in_words(found: Body, text: str, left: str, right: str) -> str:
    """One difference in HTML."""
    ours, theirs = (_quoted(found[side], text) for side in ("left", "right"))
    name = html.escape(_sided(KINDS[found["kind"]], left, right))
    return f"<i>{name}:</i> " + (f"{ours} → {theirs}" if ours and theirs else ours or theirs)


def _quoted(span: Body | None, text: str) -> str:
    if span is None:
        return ""
    surface = html.escape(" ".join(text[span["start"] : span["end"]].split()))
    return f"<b>{surface}</b> {html.escape(span['label'])} <i>{100 * span['confidence']:.0f}\u00a0%</i>"


def names_of(datasets: Sequence[Body]) -> dict[str, str]:
    """Datasets with their sizes in words."""
    return {dataset["name"]: plural(dataset["documents"], "document") for dataset in datasets}
