"""The API as a Python object, for the screens, the command line, and any program.

    from workbench.api_client import ApiClient

    with ApiClient("http://127.0.0.1:8000", api_key="...") as api:
        for entity in api.predict("John lives in New York")["entities"]:
            print(entity["label"], entity["text"], entity["confidence"])

Every method returns the JSON of the contract (`/docs`) and raises `ApiError` with the server's sentence.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from urllib.parse import quote

import httpx

from workbench.api_answers import TIMEOUT_SECONDS, FoundEntity, Prediction
from workbench.api_desk import Desk
from workbench.api_operations import Operations, given
from workbench.api_transport import ApiError, Body, HttpCaller, RetryPolicy, Transport, refusal_of
from workbench.async_client import AsyncApiClient

__all__ = ["ApiClient", "ApiError", "AsyncApiClient", "Body", "Export", "FoundEntity", "Prediction", "RetryPolicy"]

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Export:
    """A dataset as a file, and what its format could not hold."""

    content: bytes
    documents: int
    entities: int
    losses: list[str]


class ApiClient(Operations, Desk):
    """One caller of the API at `http`: an address, or anything with the interface of `httpx.Client`, which then
    decides on time limits unless `timeout_seconds` is given.

    `api_key` is sent as X-API-Key, `session` (the value of a browser's cookie) as a bearer token. Close it, or use it
    as a context: connections that it opened itself are given back.
    """

    def __init__(
        self,
        http: str | HttpCaller = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        session: str | None = None,
        timeout_seconds: float | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        headers = {"X-API-Key": api_key} if api_key else {}
        if session:
            headers["Authorization"] = f"Bearer {session}"
        caller: Any = (
            httpx.Client(base_url=http, timeout=timeout_seconds or TIMEOUT_SECONDS) if isinstance(http, str) else http
        )
        self.transport = Transport(caller, headers, timeout_seconds, retry)
        self._opened: httpx.Client | None = caller if isinstance(http, str) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections; those of a caller that was handed in are left to whoever opened it."""
        if self._opened is not None:
            self._opened.close()

    # --- answering ---

    def predict(self, text: str, *, document_key: str | None = None) -> Prediction:
        """The entities of a text, as production traffic is answered."""
        body = given({"text": text, "document_key": document_key})
        return cast(Prediction, self._post("ner/predict", body, is_idempotent=True))

    def predict_batch(self, texts: Sequence[str], *, document_key: str | None = None) -> list[Prediction | Body]:
        """One answer per text, in order; a text that was refused has `{"error": ...}` in its place."""
        body = given({"texts": list(texts), "document_key": document_key})
        return cast(list[Prediction | Body], self._post("ner/batch", body, is_idempotent=True)["results"])

    def predict_with(self, version: str, text: str) -> Prediction:
        """The entities of a text by one named version, outside of the rollout."""
        path = f"versions/{quote(version)}/predict"
        return cast(Prediction, self._post(path, {"text": text}, is_idempotent=True))

    def health(self) -> Body:
        """Which versions answer, and whether the server is whole."""
        return self._get("ner/health")

    def metrics(self) -> Body:
        """Latencies in ms, throughput, error rate and cache hits of the last minutes."""
        return self._get("ner/metrics")

    def compare(
        self,
        *,
        text: str | None = None,
        dataset: str | None = None,
        left: str | None = None,
        right: str | None = None,
        source: str | None = None,
        limit: int = 100,
    ) -> Body:
        """Two versions (left: stable, right: canary unless named) on one text, a dataset's documents, or with `source`
        "shadow" on kept texts of shadowed traffic."""
        what = {"text": text, "dataset": dataset, "source": source}
        body = given({**what, "left": left, "right": right, "limit": limit})
        return self._post("compare", body, is_idempotent=True)

    def compare_csv(self, table: str, **what: Any) -> bytes:
        """The same comparison as CSV: `table` "differences" or "labels"."""
        options = {"params": {"table": table}, "json": given(what)}
        return bytes(self.transport.call("POST", "/api/v1/compare/csv", is_idempotent=True, **options).content)

    # --- text and corrections ---

    def datasets(self) -> list[Body]:
        """Every dataset, with its counts."""
        return cast(list[Body], self._get("datasets")["datasets"])

    def import_file(
        self,
        dataset: str,
        content: bytes | BinaryIO,
        *,
        filename: str,
        format_name: str = "auto",
        progress: Callable[[int, int], None] | None = None,
    ) -> Body:
        """Send a file into a dataset; `progress` hears (done, total) while the server reads it."""
        path = f"/api/v1/datasets/{quote(dataset, safe='')}/import"
        params = {"format": format_name, "filename": filename}
        body = content if isinstance(content, bytes) else _blocks(content)
        for line in self.transport.lines("POST", path, params=params, content=body):
            if "error" in line:
                raise refusal_of(line["error"], 422)
            if "result" in line:
                return cast(Body, line["result"])
            if progress is not None and "progress" in line:
                progress(int(line["progress"]["done"]), int(line["progress"]["total"]))
        raise ApiError("The server closed the import before it was done; nothing was imported.")

    def export_dataset(self, dataset: str, format_name: str) -> Export:
        """A dataset's gold as one file."""
        path = f"/api/v1/datasets/{quote(dataset, safe='')}/export"
        answer = self.transport.call("GET", path, params={"format": format_name}, timeout=600.0)
        summary = json.loads(answer.headers.get("X-Export-Summary", "{}"))
        return Export(
            bytes(answer.content), summary.get("documents", 0), summary.get("entities", 0), summary.get("losses", [])
        )

    def documents(
        self, dataset: str, *, offset: int = 0, limit: int = 50, query: str | None = None, state: str | None = None
    ) -> Body:
        """A page of documents: `{"documents": [...], "total": n}`."""
        path = f"datasets/{quote(dataset, safe='')}/documents"
        return self._get(path, offset=offset, limit=limit, query=query, state=state)

    def document(self, document_id: str) -> Body:
        """One document with the spans of its newest revision."""
        return self._get(f"documents/{document_id}")

    def revisions(self, document_id: str) -> list[Body]:
        """Every revision of a document, each with its author."""
        body = self._get(f"documents/{document_id}/revisions")
        return cast(list[Body], body["revisions"])

    def save_correction(
        self,
        document_id: str,
        *,
        base_revision: int,
        spans: Iterable[Mapping[str, Any]],
        operation_id: str,
        model_version: str | None = None,
    ) -> Body:
        """Save a person's spans; sent again with the same `operation_id` it is stored once."""
        body = {"base_revision": base_revision, "spans": [dict(span) for span in spans], "operation_id": operation_id}
        body |= given({"model_version": model_version})
        return self._post(f"documents/{document_id}/annotations", body, is_idempotent=True)

    def next_task(
        self,
        *,
        dataset: str | None = None,
        source: str | None = None,
        exclude: Collection[str] = (),
        suggest: bool = True,
    ) -> Body:
        """The next document to correct, from a dataset or from captured traffic (`source="traffic"`)."""
        return self._get(
            "tasks/next",
            dataset=dataset,
            source=source,
            exclude=",".join(exclude) or None,
            suggest="true" if suggest else "false",
        )

    def agreement(self, dataset: str) -> Body:
        """How far people agree on the documents that two or more of them corrected."""
        return self._get(f"datasets/{quote(dataset, safe='')}/agreement")

    def gamma(self, dataset: str) -> Body:
        """How far people agree as gamma: of everybody, each label, each pair, and the least agreed documents."""
        return self._get(f"datasets/{quote(dataset, safe='')}/agreement/gamma")

    def ask_people(self, dataset: str, annotators_required: int) -> Body:
        """How many people must agree before a document of the dataset is gold."""
        path = f"/api/v1/datasets/{quote(dataset, safe='')}/people"
        return self.transport.json("PUT", path, json={"annotators_required": annotators_required})

    def capture(self) -> bool:
        """Whether texts that were answered with low confidence are kept for correction."""
        return bool(self._get("capture")["enabled"])

    def set_capture(self, enabled: bool) -> bool:
        """Switch the keeping of low-confidence texts."""
        return bool(self.transport.json("PUT", "/api/v1/capture", json={"enabled": enabled})["enabled"])

    # --- learning ---

    def recipes(self) -> list[Body]:
        """The recipes that a run may use, with their parameters."""
        return cast(list[Body], self._get("recipes")["recipes"])

    def start_run(self, dataset: str, recipe: str, parameters: Mapping[str, Any] | None = None) -> Body:
        """Queue a training run."""
        return self._post("runs", {"dataset": dataset, "recipe": recipe, "parameters": dict(parameters or {})})

    def runs(self) -> list[Body]:
        """Every run, newest first."""
        return cast(list[Body], self._get("runs")["runs"])

    def run(self, run_id: str) -> Body:
        """One run with its progress."""
        return self._get(f"runs/{run_id}")

    def cancel_run(self, run_id: str) -> Body:
        """Ask a queued or running run to stop."""
        return self._post(f"runs/{run_id}/cancel", is_idempotent=True)


def _blocks(content: BinaryIO) -> Iterator[bytes]:
    while block := content.read(READ_BYTES):
        yield block
