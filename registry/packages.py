"""A version's package is a folder of plain files; its digest names exactly those bytes."""

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

from ner.errors import BrokenPackage

SUMS = "SHA256SUMS.json"


def package_digest(folder: Path) -> str:
    """SHA-256 over the sorted relative paths and SHA-256 sums of every file but the sums file itself."""
    return _digest_of(_sums(folder))


class PackageStore:
    """Packages by version, below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, version: str, folder: Path) -> str:
        """Copy `folder` in as the package of `version` and return its digest.

        The package appears under its name whole or not at all. Adding the same bytes again changes nothing; other
        bytes under the name of a version that was never registered replace what a crash left behind.
        """
        sums = _sums(folder)
        target = self.root / version
        draft = self.root / f".{version}.{uuid.uuid4().hex}"
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, draft)
        (draft / SUMS).write_text(json.dumps(sums, indent=1, sort_keys=True))
        _flush_to_disk(draft)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
        return _digest_of(sums)

    def folder(self, version: str, digest: str) -> Path:
        """The package's folder, every file checked against `digest`.

        Raises BrokenPackage when it is missing, or any file was changed, added or removed.
        """
        folder = self.root / version
        if not folder.is_dir():
            raise BrokenPackage(f"The package of version {version} is missing: there is no {folder}.")
        found = package_digest(folder)
        if found != digest:
            raise BrokenPackage(
                f"The package of version {version} is not the one that was registered: its digest is "
                f"{found[:12]}, the registered one {digest[:12]}. Restore {folder} from a backup."
            )
        return folder


def _sums(folder: Path) -> dict[str, str]:
    sums = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() != SUMS:
            with path.open("rb") as stream:
                sums[path.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return sums


def _digest_of(sums: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sums, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _flush_to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
