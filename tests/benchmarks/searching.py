"""How long a search, an import and a change of labels take over many documents, in seconds.

    python -m tests.benchmarks.searching CORPORA [--documents 100000] [--times 20] [--server URL]

The documents are the sentences of the Groningen Meaning Bank with their spans, again and again with a number behind
them until there are enough. On SQLite in a temporary folder, or in a schema of its own on a PostgreSQL server, dropped
at the end. Seconds by the clock and of this process's own processor time; the gap is what others, or the server, took.
The import is measured without the indexes first, which is what its slowdown is a ratio to.
"""

import argparse
import json
import os
import resource
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import sqlalchemy as sa

from annotation import imports
from annotation.changes import make_change
from annotation.imports import import_file
from annotation.relabelling import Change
from annotation.search import search_documents
from ner.database import Database
from ner.migrations import migrate
from tests.benchmarks.models import CORPORA, read_parts

QUERIES: dict[str, dict[str, str]] = {
    "a common word": {"text": "president"},
    "a very common word": {"text": "the"},
    "a rare word": {"text": "submarine"},
    "two letters": {"text": "eu"},
    "a label": {"label": "geo"},
    "a rare label": {"label": "nat"},
    "a regular expression": {"pattern": r"\b[A-Z]\w+ (?:River|Sea)\b"},
    "an expression without a word": {"pattern": r"\b[A-Z]{5,}\b"},
    "an expression in either case": {"pattern": r"(?i)\bprime minister\b"},
    "a word in a label": {"text": "paris", "label": "geo"},
    "an expression in a label": {"pattern": r"^North\b", "label": "geo"},
}


def main() -> None:
    """Fill a database without indexes and one with them, search it, rename a label, and print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--server", help="a PostgreSQL server, such as postgresql+psycopg2://postgres@127.0.0.1/test")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.jsonl"
        write_documents(arguments.corpora, arguments.documents, path)
        with database_for(arguments.server, Path(folder)) as database:
            _drop_indexes(database)
            with patch.object(imports, "note_labels", lambda *_: None):
                _import(database, path, "import without indexes", arguments.documents)
        with database_for(arguments.server, Path(folder)) as database:
            _import(database, path, "import", arguments.documents)
            _search(database, arguments.times)
            _rename(database)
        print(f"Largest memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _import(database: Database, path: Path, name: str, documents: int) -> None:
    with database.transaction() as connection:
        clock, own = _timed(lambda: import_file(connection, path, dataset="many", actor="ada"))
    _tell(name, documents, [clock], [own])


def _search(database: Database, times: int) -> None:
    if not database.is_sqlite:
        with database.transaction() as connection:
            connection.execute(sa.text("ANALYZE"))  # as autovacuum does within minutes of an import
    for name, query in QUERIES.items():
        # A connection for each search, as the API has.
        def search(query: dict[str, str] = query) -> int:
            with database.reading() as connection:
                return search_documents(connection, "many", **query)[1]

        found = search()
        runs = [_timed(search) for _ in range(times)]
        _tell(name, found, *map(list, zip(*runs, strict=True)))


def _rename(database: Database) -> None:
    with database.transaction() as connection:
        change = Change("rename", ("geo",), "place")
        changed: list[Any] = []
        clock, own = _timed(lambda: changed.append(make_change(connection, "many", change, actor="ada")))
    _tell("rename, spans", changed[0].spans.total(), [clock], [own])


@contextmanager
def database_for(server: str | None, folder: Path) -> Iterator[Database]:
    """An empty database with its tables: in the folder, or in a schema of the server that is dropped at the end."""
    name = f"searching_{uuid.uuid4().hex[:8]}"
    if server is None:
        database = Database(f"sqlite:///{folder}/{name}.db")
    else:
        _tell_server(server, f"CREATE SCHEMA {name}")
        url = sa.make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
        database = Database(url.render_as_string(hide_password=False))
    try:
        migrate(database)
        yield database
    finally:
        database.close()
        if server is None:
            (folder / f"{name}.db").unlink()
        else:
            _tell_server(server, f"DROP SCHEMA {name} CASCADE")


def _tell_server(server: str, statement: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def _drop_indexes(database: Database) -> None:
    with database.transaction() as connection:
        if database.is_sqlite:
            connection.execute(sa.text("DROP TRIGGER search_text_added"))
        else:
            connection.execute(sa.text("DROP INDEX ix_documents_text_trigrams"))


def write_documents(corpora: Path, count: int, path: Path) -> None:
    """A JSONL file of that many numbered sentences of the Groningen Meaning Bank with their spans."""
    train, _, _ = read_parts(corpora, next(corpus for corpus in CORPORA if corpus.name == "gmb"))
    with path.open("w", encoding="utf-8") as file:
        for number, document in enumerate(islice(cycle(train), count)):
            spans = [{"start": span.start, "end": span.end, "label": span.label} for span in document.spans]
            file.write(json.dumps({"text": f"{document.text} {number}", "spans": spans}) + "\n")


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    clock, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - own


def _tell(name: str, count: int, clock: list[float], own: list[float]) -> None:
    p50, p95 = np.quantile(clock, [0.5, 0.95])
    mean_own = float(np.mean(own))
    print(f"| {name} | {count:,} | {p50:.2f} | {p95:.2f} | {mean_own:.2f} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
