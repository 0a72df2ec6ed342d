"""A backup of an embedded installation: one archive that holds everything needed to go on elsewhere."""

import hashlib
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ner.database import utc_now
from ner.errors import Conflict, InvalidInput, InvalidSetting
from ner.settings import Settings

_MANIFEST = "manifest.json"
_DATABASES = ("workbench.db", "mlflow.db")
_FOLDERS = ("artifacts", "mlartifacts")
_SECRETS = ("secret.key", "admin.key", "signing.key", "signing.pub")


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What an archive holds."""

    file: Path
    files: int
    size_bytes: int
    made_at: str


def back_up(settings: Settings, target: Path, progress: Callable[[int], object]) -> BackupSummary:
    """Write everything in NER_HOME to one compressed archive, with SHA-256 sums, while the server runs.

    The databases are copied by SQLite's own online backup, so the copy is one consistent state; they are copied
    before the artifacts, so every artifact that the copy names is there. The archive holds the secret keys: keep it
    as safe as the installation itself.

    Raises InvalidSetting when state is kept outside of NER_HOME, Conflict when the target exists.
    """
    _refuse_servers(settings)
    if target.exists():
        raise Conflict(f"{target} exists already; name a new file.")
    draft = target.with_name(f".{target.name}.part")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copies = _copy_databases(settings.home, Path(scratch))
        members = [*copies, *_members(settings.home)]
        sums = {}
        # It holds the secret keys, from its first byte on.
        draft.touch(mode=0o600)
        with tarfile.open(draft, "w:gz", compresslevel=6) as archive:
            for name, path in members:
                sums[name] = _sum(path)
                archive.add(path, name)
                progress(path.stat().st_size)
            manifest = Path(scratch) / _MANIFEST
            manifest.write_text(json.dumps({"made_at": utc_now().isoformat(), "sums": sums}, indent=1))
            archive.add(manifest, _MANIFEST)
    draft.rename(target)
    return BackupSummary(target, len(sums), target.stat().st_size, utc_now().isoformat())


def restore(settings: Settings, source: Path) -> BackupSummary:
    """Put an archive's content into NER_HOME, which must not hold an installation.

    Every file is checked against its sum before anything is put in place.

    Raises Conflict when NER_HOME holds a database, InvalidInput when the archive is not whole.
    """
    _refuse_servers(settings)
    if (settings.home / "workbench.db").exists():
        raise Conflict(f"{settings.home} holds an installation; restore into an empty NER_HOME.")
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home) as scratch:
        folder = Path(scratch)
        try:
            with tarfile.open(source, "r:gz") as archive:
                archive.extractall(folder, filter="data")
            manifest = json.loads((folder / _MANIFEST).read_text())
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            raise InvalidInput(f"{source} is not a backup that can be read: {error}.") from None
        _check_sums(folder, manifest["sums"], source)
        for path in folder.iterdir():
            if path.name != _MANIFEST:
                _replace(path, settings.home / path.name)
    return BackupSummary(source, len(manifest["sums"]), source.stat().st_size, manifest["made_at"])


def _refuse_servers(settings: Settings) -> None:
    if settings.database_url or settings.artifacts_url or settings.mlflow_url:
        raise InvalidSetting(
            "This installation keeps state outside of NER_HOME (NER_DATABASE_URL, NER_ARTIFACTS_URL or NER_MLFLOW_URL "
            "is set); back those up with their own tools, for example pg_dump."
        )


def _copy_databases(home: Path, scratch: Path) -> list[tuple[str, Path]]:
    copies = []
    for name in _DATABASES:
        if (home / name).exists():
            copy = scratch / name
            with closing(sqlite3.connect(home / name)) as live, closing(sqlite3.connect(copy)) as into:
                live.backup(into)
            copies.append((name, copy))
    return copies


def _members(home: Path) -> Iterator[tuple[str, Path]]:
    for folder in _FOLDERS:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and not _is_draft(path.relative_to(home)):
                yield path.relative_to(home).as_posix(), path
    for name in _SECRETS:
        if (home / name).exists():
            yield name, home / name


def _is_draft(path: Path) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts)


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_sums(folder: Path, sums: dict[str, str], source: Path) -> None:
    for name, expected in sums.items():
        if not (folder / name).is_file() or _sum(folder / name) != expected:
            raise InvalidInput(f"{source} is damaged: {name} is missing or was changed. Nothing was restored.")


def _replace(path: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    path.rename(target)
