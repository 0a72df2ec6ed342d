"""What an installation holds, so that two can be compared, and how one is lost."""

import hashlib
import shutil
from pathlib import Path

import sqlalchemy as sa

from ner import tables
from ner.database import Database
from ner.settings import Settings
from registry.bucket import open_bucket

_BYTES = 32
# A backup is noted here after it was made.
_NOT_KEPT = "switches"


def contents(database: Database) -> dict[str, tuple[int, int]]:
    """Each table as its number of rows and the sum of their hashes, which is the same in whatever order they come."""
    found = {}
    with database.reading() as connection:
        for table in tables.metadata.sorted_tables:
            if table.name != _NOT_KEPT:
                rows = connection.execution_options(yield_per=10_000).execute(sa.select(table))
                hashes = [_hash(repr(tuple(row)).encode()) for row in rows]
                found[table.name] = (len(hashes), sum(hashes) % 2 ** (8 * _BYTES))
    return found


def files(folder: Path) -> dict[str, str]:
    """Every file below `folder` by its path, as its SHA-256."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def objects(settings: Settings, scratch: Path) -> dict[str, str]:
    """Every object of the installation's bucket by its key, as its SHA-256; empty where there is no bucket."""
    bucket = open_bucket(settings)
    for key in bucket.keys() if bucket is not None else ():
        (scratch / key).parent.mkdir(parents=True, exist_ok=True)
        assert bucket is not None
        assert bucket.fetch(key, scratch / key)
    return files(scratch)


def destroy(database: Database, settings: Settings) -> None:
    """Lose the home, everything in the database's schema, and everything in the bucket."""
    database.close()
    shutil.rmtree(settings.home)
    bucket = open_bucket(settings)
    for key in bucket.keys() if bucket is not None else ():
        assert bucket is not None
        bucket.delete(key)
    if not database.is_sqlite:
        with database.transaction() as connection:
            schema = connection.scalar(sa.text("SELECT current_schema()"))
            connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
            connection.execute(sa.text(f"CREATE SCHEMA {schema}"))


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=_BYTES).digest(), "big")
