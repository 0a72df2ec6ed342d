"""A file read, checked and laid out on the disk before the database is asked for its lock: memory stays the same
however long the file is, and others write meanwhile.
"""

import hashlib
import json
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from annotation.formats import ReadDocument, read_file
from annotation.stored import pairs_of
from ner.documents import EntitySpan, Nesting, check_spans
from ner.errors import InvalidInput, MalformedFile, OverlappingSpans

NESTINGS: tuple[Nesting, ...] = get_args(Nesting)
_CHUNK = 2_000
_INSERT = "INSERT INTO staged (key, text, spans, meta) VALUES (?, ?, ?, ?)"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class StagedDocument:
    """A checked document and the key under which a dataset knows it. `spans` as they are stored; None: unlabelled."""

    key: str
    text: str
    spans: list[list[Any]] | None
    meta: dict[str, Any]


@dataclass(slots=True)
class StagedFile:
    """A whole file that was found right. `too_nested` holds the error to raise where a dataset forbids a nesting that
    the file has. Close it after use.
    """

    name: str
    format: str
    notes: list[str]
    store: sqlite3.Connection
    documents: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    nesting: Nesting = "flat"
    too_nested: dict[Nesting, MalformedFile] = field(default_factory=dict)

    def chunks(self) -> Iterator[list[StagedDocument]]:
        """The documents in the order of the file, some at a time."""
        rows = self.store.execute("SELECT key, text, spans, meta FROM staged ORDER BY position")
        while chunk := rows.fetchmany(_CHUNK):
            yield [
                StagedDocument(key, text, None if spans is None else json.loads(spans), json.loads(meta))
                for key, text, spans, meta in chunk
            ]

    def __enter__(self) -> "StagedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()


def stage_file(
    path: Path,
    format_name: str = "auto",
    *,
    filename: str | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> StagedFile:
    """Read a file to its end. What is laid out in `folder` goes when it is closed, or when the process dies.

    Raises MalformedFile with the line.
    """
    opened = read_file(path, format_name, filename=filename, progress=progress)
    staged = StagedFile(filename or path.name, opened.format, opened.notes, _store(folder))
    try:
        while chunk := list(islice(opened.documents, _CHUNK)):
            staged.store.executemany(
                "INSERT INTO staged (key, text, spans, meta) VALUES (?, ?, ?, ?)", _rows(staged, chunk)
            )
        if not staged.documents:
            raise MalformedFile("The file holds no document.")
    except BaseException:
        staged.store.close()
        raise
    return staged


def _store(folder: Path | None) -> sqlite3.Connection:
    number, name = tempfile.mkstemp(dir=folder, prefix="draft-", suffix=".staging")
    os.close(number)
    # Used in one thread at a time, though perhaps not in that which opened it.
    store = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
    store.execute("PRAGMA journal_mode=OFF")
    store.execute("PRAGMA synchronous=OFF")
    store.execute("PRAGMA cache_size=-32768")
    store.execute("CREATE TABLE staged (position INTEGER PRIMARY KEY, key TEXT, text TEXT, spans TEXT, meta TEXT)")
    store.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, times INTEGER) WITHOUT ROWID")
    store.execute("BEGIN")
    Path(name).unlink()
    return store


def _rows(staged: StagedFile, chunk: Iterable[ReadDocument]) -> Iterator[tuple[str, str, str | None, str]]:
    for document in chunk:
        spans = _checked(staged, document)
        staged.documents += 1
        staged.entities.update(span.label for span in spans)
        stored = json.dumps(pairs_of(spans)) if document.is_labelled else None
        yield _key(staged, document, spans), document.text, stored, json.dumps(document.meta)


def _checked(staged: StagedFile, document: ReadDocument) -> tuple[EntitySpan, ...]:
    """The spans in order. Notes the first document that needs more than each nesting allows."""
    first = NESTINGS.index(staged.nesting)
    for nesting in NESTINGS[first:]:
        try:
            spans = check_spans(document.text, document.spans, nesting=nesting)
        except OverlappingSpans as error:
            refused = document.refuse(error.message)
            if nesting == NESTINGS[-1]:
                raise refused from None
            staged.too_nested[nesting] = refused
        except InvalidInput as error:
            raise document.refuse(error.message) from None
        else:
            staged.nesting = nesting
            return spans
    raise AssertionError("The loosest nesting takes every span.")


def _key(staged: StagedFile, document: ReadDocument, spans: tuple[EntitySpan, ...]) -> str:
    """The same text with the same spans, for the same time in its file, has the same key."""
    content = json.dumps([document.text, pairs_of(spans) if document.is_labelled else None], ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).digest()
    (times,) = staged.store.execute(
        "INSERT INTO seen VALUES (?, 1) ON CONFLICT (digest) DO UPDATE SET times = times + 1 RETURNING times", (digest,)
    ).fetchone()
    return hashlib.sha256(digest + str(times - 1).encode()).hexdigest()
