"""The calls of the desk: search, changes of labels, snapshots, sources, guidelines, comments, and documents' pasts."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from workbench.api_operations import given
from workbench.api_transport import Body, Transport


class Desk:
    """A part of `ApiClient`; `transport` is the caller's way to the API."""

    transport: Transport

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **params: Any) -> Body:
        options: dict[str, Any] = {"params": given(params)}
        if body is not None:
            options["json"] = dict(body)
        return self.transport.json(method, f"/api/v1/{path}", **options)

    # --- search and changes of labels ---

    def search(self, dataset: str, **sought: Any) -> Body:
        """Documents by `text`, `label` and `pattern`, from `offset`, at most `limit`: `{"found", "total"}`."""
        return self._ask("GET", f"datasets/{_safe(dataset)}/search", **sought)

    def preview_change(self, dataset: str, change: Mapping[str, Any]) -> Body:
        """What a change of labels would do. Nothing is changed."""
        return self._ask("POST", f"datasets/{_safe(dataset)}/changes/preview", change)

    def make_change(self, dataset: str, change: Mapping[str, Any]) -> Body:
        """Make it."""
        return self._ask("POST", f"datasets/{_safe(dataset)}/changes", change)

    def changes(self, dataset: str) -> list[Body]:
        """The changes that were made, newest first."""
        return cast(list[Body], self._ask("GET", f"datasets/{_safe(dataset)}/changes")["changes"])

    def undo_change(self, dataset: str, change_id: str) -> Body:
        """Take a change back, once."""
        return self._ask("POST", f"datasets/{_safe(dataset)}/changes/{_safe(change_id)}/undo", {})

    # --- snapshots ---

    def snapshots(self, dataset: str | None = None) -> list[Body]:
        """Snapshots, newest first."""
        return cast(list[Body], self._ask("GET", "snapshots", dataset=dataset)["snapshots"])

    def freeze(self, dataset: str) -> Body:
        """Freeze the dataset's gold as it is now."""
        return self._ask("POST", f"datasets/{_safe(dataset)}/snapshots", {})

    def compare_snapshots(self, before: str, after: str, *, limit: int = 200) -> Body:
        """What changed from one to the other, by span."""
        return self._ask("GET", f"snapshots/{before}/diff/{after}", limit=limit)

    def export_snapshot(self, snapshot: str, format_name: str) -> bytes:
        """The snapshot as a file: the same bytes each time."""
        path = f"/api/v1/snapshots/{snapshot}/export"
        return bytes(self.transport.call("GET", path, params={"format": format_name}, timeout=600.0).content)

    # --- sources of suggestions ---

    def sources(self, dataset: str) -> Body:
        """`{"sources": [...], "outcomes": [...]}`."""
        return self._ask("GET", f"datasets/{_safe(dataset)}/sources")

    def save_source(self, dataset: str, name: str, source: Mapping[str, Any]) -> Body:
        """Make a source, or change it."""
        return self._ask("PUT", f"datasets/{_safe(dataset)}/sources/{_safe(name)}", source)

    def delete_source(self, dataset: str, name: str) -> None:
        """Remove a source."""
        self.transport.call("DELETE", f"/api/v1/datasets/{_safe(dataset)}/sources/{_safe(name)}")

    def learning_curves(self, dataset: str) -> list[Body]:
        """F1 of the dataset's versions against the documents that they learned from, with advice."""
        return cast(list[Body], self._ask("GET", f"datasets/{_safe(dataset)}/learning-curve")["curves"])

    # --- people ---

    def habits(self, dataset: str) -> Body:
        """What answers take people, and what they do with checks: `{"percent", "people"}`."""
        return self._ask("GET", f"datasets/{_safe(dataset)}/habits")

    def set_checks(self, dataset: str, percent: int) -> Body:
        """How many documents in a hundred come with a suggestion that is wrong on purpose."""
        return self._ask("PUT", f"datasets/{_safe(dataset)}/checks", {"percent": percent})

    def comments(self, dataset: str, *, settled: bool = False) -> list[Body]:
        """The comments in a dataset that wait for somebody, or all of them."""
        path = f"datasets/{_safe(dataset)}/comments"
        return cast(list[Body], self._ask("GET", path, settled=str(settled).lower())["comments"])

    def settle_comment(self, comment_id: str, settled: bool = True) -> Body:
        """Settle a comment, or open it again."""
        return self._ask("PUT", f"comments/{comment_id}", {"settled": settled})

    def guidelines(self, dataset: str, label: str | None = None) -> list[Body]:
        """The newest guideline of each label, or all versions of one label's."""
        return cast(list[Body], self._ask("GET", f"datasets/{_safe(dataset)}/guidelines", label=label)["guidelines"])

    def write_guideline(
        self, dataset: str, label: str, words: str, examples: Sequence[Mapping[str, Any]], *, base_version: int
    ) -> Body:
        """The next version of a label's guideline."""
        body = {"words": words, "examples": list(examples), "base_version": base_version}
        return self._ask("PUT", f"datasets/{_safe(dataset)}/guidelines/{_safe(label)}", body)

    def affected_by_guideline(self, dataset: str, label: str) -> Body:
        """Settled documents whose spans of the label are older than its newest guideline."""
        return self._ask("GET", f"datasets/{_safe(dataset)}/guidelines/{_safe(label)}/affected")

    # --- a document's past and end ---

    def restore(self, document_id: str, revision: int, *, base_revision: int) -> Body:
        """Say again what an old revision said."""
        body = {"base_revision": base_revision, "operation_id": uuid.uuid4().hex}
        return self._ask("POST", f"documents/{document_id}/revisions/{revision}/restore", body)

    def require_answer(self, document_id: str, required: bool) -> Body:
        """Whether every version has to answer this document as it is settled."""
        return self._ask("PUT", f"documents/{document_id}/must-pass", {"required": required})

    def erase(self, document_id: str, reason: str) -> Body:
        """Erase the document's text everywhere."""
        return self._ask("POST", f"documents/{document_id}/erase", {"reason": reason})


def _safe(name: str) -> str:
    return quote(name, safe="")
