"""How long a search and a change of labels take over many documents: seconds, on SQLite in a temporary folder.

    python -m tests.benchmarks.searching CORPORA [--documents 100000] [--times 20]

The documents are the sentences of the Groningen Meaning Bank with their spans, again and again with a number behind
them until there are enough. Seconds by the clock and of this process's own processor time; the gap is what others took.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from annotation.changes import make_change
from annotation.imports import import_file
from annotation.relabelling import Change
from annotation.search import search_documents
from ner.database import Database
from ner.migrations import migrate
from tests.benchmarks.models import CORPORA, read_parts

QUERIES: dict[str, dict[str, str]] = {
    "a common word": {"text": "president"},
    "a rare word": {"text": "zeppelin"},
    "a label": {"label": "geo"},
    "a rare label": {"label": "nat"},
    "a regular expression": {"pattern": r"\b[A-Z]\w+ (?:River|Sea)\b"},
    "a word in a label": {"text": "paris", "label": "geo"},
    "an expression in a label": {"pattern": r"^North\b", "label": "geo"},
}


def main() -> None:
    """Fill a database, search it, rename a label, and print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/ner.db")
        migrate(database)
        path = Path(folder) / "many.jsonl"
        _write(arguments.corpora, arguments.documents, path)
        with database.transaction() as connection:
            clock, own = _timed(lambda: import_file(connection, path, dataset="many", actor="ada"))
        _tell("import", arguments.documents, [clock], [own])
        with database.reading() as connection:
            for name, query in QUERIES.items():
                found = search_documents(connection, "many", **query)[1]
                runs = [
                    _timed(lambda query=query: search_documents(connection, "many", **query))  # type: ignore[misc]
                    for _ in range(arguments.times)
                ]
                _tell(name, found, *map(list, zip(*runs, strict=True)))
        with database.transaction() as connection:
            change = Change("rename", ("geo",), "place")
            changed: list[Any] = []
            clock, own = _timed(lambda: changed.append(make_change(connection, "many", change, actor="ada")))
        _tell("rename, spans", changed[0].spans.total(), [clock], [own])


def _write(corpora: Path, count: int, path: Path) -> None:
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
