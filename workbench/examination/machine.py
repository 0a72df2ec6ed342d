"""The machine: its disk, who may read and write there, its clock, and what is stuck on it."""

import os
import stat
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import sqlalchemy as sa

from ner.database import utc_now
from ner.disk import check_room
from ner.errors import NerError
from ner.settings import Settings
from registry.compiled import COMPILED
from workbench import launcher
from workbench.examination.looking import TIMEOUT_SECONDS, reading

_SKEW_SECONDS = 5.0


def disk(settings: Settings) -> str:
    """There is more room than the reserve."""
    if not settings.home.exists():
        raise NerError(f"NER_HOME ({settings.home}) is not there yet; 'make up' makes it.")
    check_room(settings.home, settings.disk_reserve_megabytes)
    return f"There is room on the disk of {settings.home}."


def permissions(settings: Settings) -> str:
    """Folders can be written to, and nobody else can read a key."""
    for folder in (settings.home, settings.artifacts):
        if folder.exists() and not _is_writable(folder):
            raise NerError(f"{folder} cannot be written to by this user; run 'chown -R USER {folder}'.")
    open_files = [path for path in _key_files(settings) if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_files:
        names = " ".join(str(path) for path in open_files)
        raise NerError(f"Others can read a key of this installation; run 'chmod 600 {names}'.")
    return "Folders can be written to, and keys are readable by their owner alone."


def _is_writable(folder: Path) -> bool:
    # Root may write anywhere, whatever the mode says: then what counts is whether the owner may.
    mode = folder.stat().st_mode
    return bool(mode & stat.S_IWUSR) if os.getuid() == 0 else os.access(folder, os.W_OK | os.X_OK)


def _key_files(settings: Settings) -> list[Path]:
    names = ("secret.key", "admin.key", "backup.key", "gateway.key")
    return [settings.signing_keys[0], *(settings.home / name for name in names)]


def compiled(settings: Settings) -> str:
    """The inner loops of tagging are compiled."""
    if COMPILED:
        return "Tagging is compiled."
    missing = (
        "Tagging takes about three times as long as it could, for its inner loops are not compiled here: install a C "
        "compiler with Python's headers ('apt install gcc python3-dev'), then 'touch pyproject.toml' and start it anew "
        "with make."
    )
    # As with backups: a laptop without a compiler is as it should be, a server for others is not.
    if settings.database.startswith("sqlite"):
        return missing
    raise NerError(missing)


def clock(settings: Settings) -> str:
    """The clocks of the database and of the server are within seconds of this one."""
    skews = {"the database": _database_skew(settings), "the server": _server_skew(settings)}
    for name, seconds in skews.items():
        if seconds is not None and abs(seconds) > _SKEW_SECONDS:
            raise NerError(
                f"The clock of {name} is {abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'} this one; "
                "switch on time synchronisation (timedatectl set-ntp true), or sessions and limits go wrong."
            )
    return "The clocks agree."


def _database_skew(settings: Settings) -> float | None:
    if settings.database.startswith("sqlite"):
        return None
    with reading(settings) as connection:
        theirs = connection.scalar(sa.text("SELECT clock_timestamp()"))
    return (theirs - utc_now()).total_seconds() if theirs is not None else None


def _server_skew(settings: Settings) -> float | None:
    try:
        answer = httpx.get(f"{launcher.address(settings)}/api/v1/ner/health", timeout=TIMEOUT_SECONDS)
        # The header has no fraction of a second.
        return parsedate_to_datetime(answer.headers["date"]).timestamp() + 0.5 - time.time()
    except (httpx.HTTPError, KeyError, ValueError):
        return None


def spool(settings: Settings) -> str:
    """No row of the log waits that can never be written."""
    broken = list((settings.home / "spool").glob("*.broken"))
    if broken:
        raise NerError(
            f"{len(broken)} batches of the prediction log cannot be read ({broken[0]}): they were sealed with a secret "
            "key that is not here. Add it to NER_OLD_SECRET_KEYS and rename them to *.batch, or delete them."
        )
    return "Nothing is stuck on its way into the prediction log."
