"""What `workbench doctor` looks at: each check is one function and one sentence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from ner.database import Database
from ner.errors import NerError
from ner.settings import Settings
from registry import audit
from registry.packages import open_store
from registry.rollout import current_rollout
from registry.versions import list_versions
from workbench import launcher


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and what to do where it is not well."""

    check: str
    ok: bool
    finding: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check in turn; one that cannot be made says so instead of ending the examination."""
    checks: dict[str, Callable[[Settings], str]] = {
        "disk": _disk,
        "database": _database,
        "audit": _audit,
        "packages": _packages,
        "server": _server,
        "worker": _worker,
    }
    for name, check in checks.items():
        try:
            yield Finding(name, True, check(settings))
        except (NerError, OSError, sa.exc.SQLAlchemyError) as error:
            yield Finding(name, False, f"{name}: {error}")


def _disk(settings: Settings) -> str:
    if not settings.home.exists():
        raise NerError(f"NER_HOME ({settings.home}) is not there yet; 'make up' makes it.")
    launcher.check_disk(settings)
    return f"There is room on the disk of {settings.home}."


def _database(settings: Settings) -> str:
    database = Database(settings.database)
    if not sa.inspect(database.engine).has_table("versions"):
        raise NerError("The database has no tables yet; 'make up' makes them.")
    with database.reading() as connection:
        stable = current_rollout(connection).stable
        count = len(list_versions(connection))
    if stable is None:
        raise NerError(f"{count} versions are registered and none is stable: run 'workbench promote VERSION'.")
    return f"The database answers; {count} versions are registered and {stable} is stable."


def _audit(settings: Settings) -> str:
    with Database(settings.database).reading() as connection:
        verdict = audit.verify(connection)
    if not verdict.ok:
        raise NerError(f"{verdict.problem} Compare with a backup to learn what it said.")
    return f"The audit trail holds, with {verdict.entries:,} entries."


def _packages(settings: Settings) -> str:
    store = open_store(settings)
    with Database(settings.database).reading() as connection:
        versions = list_versions(connection)
    for record in versions:
        store.folder(record.version, record.package_hash)
    return f"The packages of all {len(versions)} versions are as they were registered."


def _server(settings: Settings) -> str:
    if not launcher.door_is_healthy(settings):
        raise NerError(f"Nothing healthy answers at {launcher.address(settings)}; start it with 'make up'.")
    return f"The server at {launcher.address(settings)} is healthy."


def _worker(settings: Settings) -> str:
    if not launcher.worker_is_alive(settings):
        raise NerError("The worker gives no sign of life, so nothing is trained; 'make up' starts it.")
    return "The worker is alive."
