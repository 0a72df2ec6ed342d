"""What `workbench doctor` looks at: each check is one function and one sentence."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from ner.errors import NerError
from ner.settings import Settings
from workbench.examination import machine, processes, stores
from workbench.examination.looking import Check


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and what to do where it is not well."""

    check: str
    ok: bool
    finding: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check in turn; one that cannot be made says so instead of ending the examination."""
    for name, check in CHECKS.items():
        try:
            yield Finding(name, True, check(settings))
        except (NerError, OSError, sa.exc.SQLAlchemyError, httpx.HTTPError) as error:
            said = str(error.orig).splitlines()[0] if isinstance(error, sa.exc.DBAPIError) else str(error)
            yield Finding(name, False, f"{name}: {said}")


CHECKS: dict[str, Check] = {
    "disk": machine.disk,
    "permissions": machine.permissions,
    "compiled": machine.compiled,
    "database": stores.database,
    "search": stores.search,
    "keys": stores.keys,
    "audit": stores.trail,
    "bucket": stores.bucket,
    "packages": stores.packages,
    "redis": stores.redis,
    "mlflow": processes.mlflow,
    "gateway": processes.gateway,
    "server": processes.server,
    "screens": processes.screens,
    "clock": machine.clock,
    "worker": processes.worker,
    "backup": processes.backup,
    "told": processes.told,
    "log": machine.spool,
}
