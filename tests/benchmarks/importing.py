"""What an import of very many sentences takes: seconds, memory and disk along its way, and what a killed one leaves.

    python -m tests.benchmarks.importing CORPORA [--documents 1000000] [--server URL]

The documents are those of `tests.benchmarks.searching`, with the search indexes on. An import in a process of its own
is killed outright (SIGKILL) after a tenth of them; then the same file is imported whole. Each row is taken as another
tenth is stored: megabytes of memory of the process (resident), of the database with its journal, and seconds.
"""

import argparse
import multiprocessing
import os
import signal
import tempfile
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import sqlalchemy as sa

from annotation.imports import import_staged
from annotation.staging import stage_file
from ner import tables
from ner.database import Database
from tests.benchmarks.searching import database_for, write_documents

_MEGABYTE = 1024 * 1024


def main() -> None:
    """Write the file, kill one import of it, finish another, and print the rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--server", help="a PostgreSQL server, such as postgresql+psycopg2://postgres@127.0.0.1/test")
    arguments = parser.parse_args()
    apart = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.jsonl"
        # In a process of its own, so that the memory of the corpus is not counted.
        writer = apart.Process(target=write_documents, args=(arguments.corpora, arguments.documents, path))
        writer.start()
        writer.join()
        with database_for(arguments.server, Path(folder)) as database:
            _kill_one(apart, database, path, arguments.documents // 10)
            _import(database.url, path)
            print(f"Documents stored: {_stored(database):,}")


def _kill_one(apart: multiprocessing.context.SpawnContext, database: Database, path: Path, after: int) -> None:
    stored: Synchronized[int] = apart.Value("q", 0)
    one = apart.Process(target=_import, args=(database.url, path, stored))
    one.start()
    while stored.value < after and one.is_alive():
        time.sleep(0.05)
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    one.join()
    began = time.perf_counter()
    left = _stored(database)
    seconds = time.perf_counter() - began
    print(f"Killed after {stored.value:,} documents: {left:,} are left, seen after {seconds:.2f} s", flush=True)


def _import(url: str, path: Path, stored: "Synchronized[int] | None" = None) -> None:
    database = Database(url)
    began = time.perf_counter()
    cpu = time.process_time()
    told = -1

    def tell(name: str, done: int, whole: int) -> None:
        nonlocal told
        if stored is not None and name == "stored":
            stored.value = done
        if stored is None and (tenth := 10 * done // max(whole, 1)) != told:
            told = tenth
            seconds, own = time.perf_counter() - began, time.process_time() - cpu
            columns = f"{seconds:.0f} | {own:.0f} | {_resident():.0f} | {_on_disk(url):.0f}"
            print(f"| {name} {10 * tenth} % | {columns} | {os.getloadavg()[0]:.1f} |", flush=True)

    with stage_file(path, "jsonl", progress=lambda done, whole: tell("read", done, whole)) as staged:
        told = -1
        with database.transaction() as connection:
            import_staged(
                connection,
                staged,
                dataset="many",
                actor="ada",
                progress=lambda done, whole: tell("stored", done, whole),
            )
    if stored is None:
        seconds, own = time.perf_counter() - began, time.process_time() - cpu
        print(f"| committed | {seconds:.0f} | {own:.0f} | {_resident():.0f} | {_on_disk(url):.0f} | |", flush=True)
    database.close()


def _stored(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(tables.documents)) or 0


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


def _on_disk(url: str) -> float:
    """The files of an SQLite database; of a server nothing is known from here."""
    path = sa.make_url(url).database if url.startswith("sqlite") else None
    files = (Path(f"{path}{end}") for end in ("", "-wal")) if path else ()
    return sum(file.stat().st_size for file in files if file.exists()) / _MEGABYTE


if __name__ == "__main__":
    main()
