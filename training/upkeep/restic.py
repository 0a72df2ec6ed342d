"""A restic repository, local or on S3: encrypted, deduplicated, and pruned by age. The one file that knows restic."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ner.errors import NerError

TAG = "ner-workbench"
KEPT = ("--keep-daily", "7", "--keep-weekly", "4", "--keep-monthly", "12")


class BackupFailed(NerError):
    """The repository cannot be used; the message says what to do."""

    kind = "backup_failed"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One backup in the repository. `paths` are what it holds, `at` is ISO 8601."""

    id: str
    at: str
    paths: tuple[str, ...]


def is_installed() -> bool:
    """Whether there is a restic on this machine."""
    return shutil.which("restic") is not None


class Repository:
    """`address` is a folder, or what restic calls one: s3:https://host/bucket."""

    def __init__(self, address: str, password: str) -> None:
        self.address = address
        self._password = password

    def back_up(self, paths: Sequence[Path], *, exclude: Sequence[str] = (), at: str | None = None) -> str:
        """Store the paths as they are now and return the snapshot's id. `at`: another moment, "2024-01-31 03:00:00"."""
        self._ensure()
        # A process that was killed leaves its lock behind; this removes only those whose process is gone.
        self._run("unlock")
        words = [word for pattern in exclude for word in ("--exclude", pattern)]
        words += ["--time", at] if at is not None else []
        said = self._run("backup", "--json", "--tag", TAG, *words, *map(str, paths))
        summary = json.loads(said.splitlines()[-1])
        return str(summary["snapshot_id"])

    def snapshots(self) -> list[Snapshot]:
        """Every backup, oldest first."""
        found = json.loads(self._run("snapshots", "--json", "--tag", TAG)) or []
        listed = [Snapshot(one["short_id"], one["time"], tuple(one["paths"])) for one in found]
        return sorted(listed, key=lambda one: one.at)

    def restore(self, snapshot: str, target: Path) -> None:
        """Put everything of a snapshot below `target`, each path as deep as it was."""
        self._run("restore", snapshot, "--target", str(target))

    def forget(self) -> None:
        """Keep the last backup of each of 7 days, 4 weeks and 12 months, and give back the room of the others."""
        self._run("forget", "--tag", TAG, "--group-by", "tags", *KEPT, "--prune")

    def check(self) -> None:
        """Raises BackupFailed when the repository is not whole."""
        self._run("check")

    def _ensure(self) -> None:
        try:
            self._run("cat", "config")
        except BackupFailed as error:
            if not error.details.get("is_missing"):
                raise
            self._run("init")

    def _run(self, *words: str) -> str:
        if not is_installed():
            raise BackupFailed("restic is not installed: 'apt install restic', or back up to an archive file instead.")
        with self._secrets() as secrets:
            done = subprocess.run(
                ["restic", "--quiet", "--no-cache", *words],
                capture_output=True,
                text=True,
                check=False,
                env={**_environment(), **secrets},
            )
        if done.returncode != 0:
            raise _failure(words[0], done.stderr)
        return done.stdout

    @contextmanager
    def _secrets(self) -> Iterator[dict[str, str]]:
        """Files for the password and the address, which may hold another: neither shows in a list of processes."""
        with tempfile.TemporaryDirectory(prefix="ner-restic-") as folder:
            named = {"RESTIC_PASSWORD_FILE": self._password, "RESTIC_REPOSITORY_FILE": self.address}
            for name, value in named.items():
                path = Path(folder) / name
                path.touch(mode=0o600)
                path.write_text(value)
            yield {name: str(Path(folder) / name) for name in named}


def _environment() -> dict[str, Any]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("NER_", "RESTIC_"))}


def _failure(word: str, said: str) -> BackupFailed:
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
    if "wrong password" in said or "no key found" in said:
        return BackupFailed("NER_BACKUP_PASSWORD is not the password of this backup repository.")
    if "unable to open config file" in said or "Is there a repository at" in said or "does not exist" in said:
        return BackupFailed("There is no backup repository at NER_BACKUP_REPOSITORY.", is_missing=True)
    return BackupFailed(f"restic {word} failed: {last}.")
