"""History: everything that was ever said about one document, the way back to it, and the end of its text."""

from collections.abc import Sequence

import streamlit as st

from workbench.api_client import ApiError, Body
from workbench.browser import Visitor, api, explain, visitor
from workbench.layout import empty_state, heading
from workbench.look import ago, highlighted, plural

KINDS = {
    "import": ":material/upload_file: Import",
    "correction": ":material/edit: Correction",
    "decision": ":material/gavel: Decision",
}


def page() -> None:
    """One document's revisions, newest first."""
    heading("History", "Everything that was ever said about one document. An old answer can be made the newest again.")
    person = visitor()
    document_id = _pick()
    if person is None or not document_id:
        empty_state("No document chosen", "Paste a document's id above, or come here from Search or from Correct.")
        return
    document = api().document(document_id)
    _draw_head(document, person)
    revisions = api().revisions(document_id)
    if not revisions:
        empty_state("Nobody has labelled it yet", "Its first answer will stand here.")
    for position, revision in enumerate(revisions):
        older = revisions[position + 1] if position + 1 < len(revisions) else None
        _draw_revision(document, revision, older, person)
    if person.reaches("admin"):
        _draw_erasure(document)


def _pick() -> str:
    named = st.query_params.get("document", "")
    if named and st.session_state.get("history_named") != named:
        st.session_state["history_named"] = st.session_state["history_document"] = named
    left, _ = st.columns([1, 1])
    return str(left.text_input("Document", key="history_document", placeholder="32 hexadecimal digits")).strip()


def _draw_head(document: Body, person: Visitor) -> None:
    required = document["meta"].get("must_pass") is True
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(f"dataset {document['dataset']}", color="gray")
        st.badge(
            "settled" if document["is_gold"] else "not settled", color="green" if document["is_gold"] else "orange"
        )
        if required:
            st.badge("every version must pass it", icon=":material/push_pin:", color="blue")
        st.markdown(f"[Open in Correct](correct?document={document['id']})", width="stretch")
        name = "Let go as must-pass" if required else "Every version must pass it"
        if person.reaches("reviewer") and st.button(name, icon=":material/push_pin:", key="history_pin"):
            try:
                api().require_answer(document["id"], not required)
            except ApiError as error:
                explain(error)
                return
            st.rerun()


def _draw_revision(document: Body, revision: Body, older: Body | None, person: Visitor) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{revision['revision']}** · {KINDS[revision['kind']]}", width="content")
            seen = f", with version {revision['model_version']}'s suggestions" if revision["model_version"] else ""
            st.caption(f"{revision['author']}, {ago(revision['created_at'])}{seen} · {_difference(revision, older)}")
            is_newest = revision["revision"] == document["revision"]
            if (
                not is_newest
                and person.reaches("reviewer")
                and st.button(
                    "Make it the newest again",
                    icon=":material/settings_backup_restore:",
                    key=f"restore_{revision['revision']}",
                )
            ):
                _restore(document, revision)
        st.html(highlighted(document["text"], revision["spans"], framed=False))


def _difference(revision: Body, older: Body | None) -> str:
    """What a revision changed against the one before it."""
    now, before = _places(revision["spans"]), _places(older["spans"] if older else [])
    come, gone = len(now - before), len(before - now)
    if older is None:
        return plural(len(now), "entity", "entities")
    return f"{come} new, {gone} gone" if come or gone else "the same spans"


def _places(spans: Sequence[Body]) -> set[tuple[int, int, str]]:
    return {(span["start"], span["end"], span["label"]) for span in spans}


def _restore(document: Body, revision: Body) -> None:
    try:
        api().restore(document["id"], revision["revision"], base_revision=document["revision"])
    except ApiError as error:
        explain(error)
        return
    st.toast(f"Revision {revision['revision']} is said again, as a decision.", icon=":material/history:")
    st.rerun()


def _draw_erasure(document: Body) -> None:
    with st.expander("Erase this text for good", icon=":material/delete_forever:"):
        st.markdown(
            "The text goes from every dataset that holds it, with all that was said about it, from kept traffic "
            "and from snapshots. The audit trail keeps hashes and the reason. **It cannot be undone.** Backups, "
            "files that were downloaded and runs in MLflow are not reached."
        )
        reason = st.text_input("Why it has to go", key="erase_reason", placeholder="Do not quote the text")
        sure = st.checkbox("I want this text to be gone", key="erase_sure")
        if st.button("Erase it", type="primary", disabled=not (reason.strip() and sure)):
            try:
                gone = api().erase(document["id"], reason)
            except ApiError as error:
                explain(error)
                return
            quoted = f" Versions {', '.join(gone['quoted_by'])} still quote it." if gone["quoted_by"] else ""
            documents, snapshots = len(gone["documents"]), len(gone["snapshots"])
            st.success(f"Erased from {plural(documents, 'document')} and {plural(snapshots, 'snapshot')}.{quoted}")
