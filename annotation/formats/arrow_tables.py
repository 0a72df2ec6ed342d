"""Rows of Arrow and Parquet files, a thousand at a time. The one file here that knows Arrow, which is loaded when it
is needed: the package is large, and a server without it refuses the format in a sentence.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from ner.errors import InvalidInput, MalformedFile

Rows = list[dict[str, Any]]
_ROWS = 1_000
_LARGEST = 8 << 30


def rows_of(stream: IO[bytes], name: str) -> Iterator[Rows]:
    """The rows of one file. Raises MalformedFile."""
    arrow = _arrow()
    try:
        with tempfile.TemporaryFile() as whole:
            shutil.copyfileobj(stream, whole)
            for batch in _batches(arrow, whole, name):
                batch.validate(full=True)
                for first in range(0, batch.num_rows, _ROWS):
                    yield batch.slice(first, _ROWS).to_pylist()
    except (arrow.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise MalformedFile(f"{name} cannot be read: {str(error).splitlines()[0][:200].rstrip('.')}.") from None


def class_names(stream: IO[bytes], name: str) -> dict[str, list[str]]:
    """The names behind the numbers of each column of classes, as the file itself tells them."""
    arrow = _arrow()
    try:
        with tempfile.TemporaryFile() as whole:
            shutil.copyfileobj(stream, whole)
            schema = _schema(arrow, whole, name)
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return names_in(told.get("info", {}).get("features"))
    except (arrow.ArrowException, OSError, ValueError, AttributeError) as error:
        raise MalformedFile(f"{name} cannot be read: {str(error).splitlines()[0][:200].rstrip('.')}.") from None


def names_in(features: object) -> dict[str, list[str]]:
    """{column: names} of the features of a `dataset_info.json` that are classes, or lists of classes."""
    found = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        inner = feature
        while isinstance(inner, dict) and "feature" in inner:
            inner = inner["feature"]
        inner = inner[0] if isinstance(inner, list) and inner else inner
        names = inner.get("names") if isinstance(inner, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[column] = names
    return found


@contextmanager
def writing_spans(stream: IO[bytes], features: dict[str, Any]) -> Iterator["SpanTable"]:
    """A table of texts and spans as an Arrow stream."""
    arrow = _arrow()
    span = arrow.struct([("start", arrow.int32()), ("end", arrow.int32()), ("label", arrow.string())])
    schema = arrow.schema(
        [("id", arrow.int64()), ("text", arrow.string()), ("spans", arrow.list_(span)), ("meta", arrow.string())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    with arrow.ipc.new_stream(stream, schema) as writer:
        yield SpanTable(arrow, writer, schema)


class SpanTable:
    """The table while it is written."""

    def __init__(self, arrow: Any, writer: Any, schema: Any) -> None:
        self._arrow, self._writer, self._schema = arrow, writer, schema

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Some rows more."""
        self._writer.write_batch(self._arrow.RecordBatch.from_pylist(list(rows), schema=self._schema))


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise InvalidInput(
            "The format huggingface needs the package pyarrow, which is not installed on this server: "
            "install it, or choose jsonl."
        ) from None
    return pyarrow


def _batches(arrow: Any, whole: IO[bytes], name: str) -> Iterator[Any]:
    kind = _kind(whole, name)
    if kind == "parquet":
        table = arrow.parquet.ParquetFile(whole)
        _check_size(table.metadata, name)
        yield from table.iter_batches(batch_size=_ROWS)
    elif kind == "arrow":
        reader = arrow.ipc.open_file(whole)
        yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        yield from arrow.ipc.open_stream(whole)


def _schema(arrow: Any, whole: IO[bytes], name: str) -> Any:
    kind = _kind(whole, name)
    if kind == "parquet":
        return arrow.parquet.ParquetFile(whole).schema_arrow
    return (arrow.ipc.open_file(whole) if kind == "arrow" else arrow.ipc.open_stream(whole)).schema


def _kind(whole: IO[bytes], name: str) -> str:
    whole.seek(0)
    head = whole.read(6)
    whole.seek(0)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head == b"ARROW1":
        return "arrow"
    if head.startswith(b"\xff\xff\xff\xff"):
        return "stream"
    raise MalformedFile(f"{name} is neither a Parquet nor an Arrow file.")


def _check_size(metadata: Any, name: str) -> None:
    total = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if total > _LARGEST:
        raise MalformedFile(f"{name} unpacks to {total >> 30} GB, which is more than is believed of text.")
