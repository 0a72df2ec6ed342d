"""`make drill`: an installation is built, lived in, backed up, destroyed and restored; is it what it was, and how soon?

    python -m tests.benchmarks.drill [--kind sqlite|postgresql|bucket] [--rows 1000000] [--output build/drill.md]

"bucket" keeps the artifacts on an S3 store (SeaweedFS) that is lost too. PostgreSQL is the test server
(NER_TEST_DATABASE_URL), in a database of the drill's own. Exit code 1 where anything differs or a target is missed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ner.database import Database, utc_now
from ner.settings import Settings
from registry import audit
from tests.benchmarks.contestants import ours
from tests.benchmarks.drill_installations import KINDS, build, environment, go_on_working, installation, train
from tests.benchmarks.servers import clean_up_when_stopped, running
from tests.drills import contents, destroy, files, objects
from tests.running import COMMAND, ROOT
from training.starter_corpus import generate
from training.upkeep.backups import back_up

RTO_HOURS, RPO_HOURS = 1.0, 24.0
_ASKED = 100


@dataclass
class Drill:
    """What was measured of one kind of installation. `differences` is empty where all came back as it was."""

    kind: str
    rows: int = 0
    stored_megabytes: float = 0.0
    backup_seconds: float = 0.0
    restore_seconds: float = 0.0
    recovery_seconds: float = 0.0
    lost_seconds: float = 0.0
    worst_loss_hours: float = 0.0
    audit_entries: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def is_passed(self) -> bool:
        """Nothing differs, and both objectives are met."""
        in_time = self.recovery_seconds < RTO_HOURS * 3600 and self.worst_loss_hours < RPO_HOURS
        return in_time and not self.differences


def main() -> None:
    """Drill every kind, print and write the table."""
    given = _arguments()
    clean_up_when_stopped()
    drills = []
    with tempfile.TemporaryDirectory(prefix="ner-drill-") as folder:
        trained = given.home or train(Path(folder) / "trained")
        for kind in given.kind or KINDS:
            scratch = Path(folder) / kind
            scratch.mkdir()
            with installation(kind, scratch) as settings:
                drills.append(drill(kind, settings, trained, scratch, given.rows))
            print("\n".join(report(drills[-1:])), flush=True)
    lines = report(drills)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text("\n".join(lines) + "\n")
    sys.exit(0 if all(one.is_passed for one in drills) else 1)


def drill(kind: str, settings: Settings, trained: Path, scratch: Path, rows: int) -> Drill:
    """One drill, from an empty home to the first answer of what was restored."""
    done = Drill(kind)
    key = build(settings, trained, scratch, rows)
    answers = _ask(settings, scratch, key)
    database = Database(settings.database)
    made = back_up(database, settings)
    done.rows, done.backup_seconds = sum(made.rows.values()), made.seconds
    before, stored = contents(database), _stored(settings, scratch / "before")
    done.stored_megabytes = _megabytes(Path(settings.backup_repository))
    # What is done after the backup is what a disaster costs.
    go_on_working(database)
    destroy(database, settings)
    lost_at = utc_now()
    done.restore_seconds = _timed(lambda: _restore(settings))
    _compare(done, settings, before, stored, scratch)
    after_answers: list[Any] = []
    done.recovery_seconds = done.restore_seconds + _timed(lambda: after_answers.extend(_ask(settings, scratch, key)))
    done.lost_seconds = (lost_at - made.made_at).total_seconds()
    done.worst_loss_hours = settings.backup_hours + made.seconds / 3600
    if after_answers != answers:
        done.differences.append("The version that answers gives other answers.")
    return done


def _compare(
    done: Drill, settings: Settings, before: dict[str, tuple[int, int]], stored: dict[str, str], scratch: Path
) -> None:
    database = Database(settings.database)
    after = contents(database)
    done.differences += [f"Table {name} differs." for name in before if before[name] != after.get(name)]
    found = _stored(settings, scratch / "after")
    done.differences += [f"{name} differs." for name in stored if stored[name] != found.get(name)]
    with database.reading() as connection:
        verdict = audit.verify(connection)
    done.audit_entries = verdict.entries
    if not verdict.ok:
        done.differences.append(verdict.problem or "The audit trail is broken.")
    database.close()


def _ask(settings: Settings, scratch: Path, key: str) -> list[Any]:
    """What an API process says about the same sentences: spans and labels."""
    texts = [one.text for one in generate(_ASKED, 23)]
    given = {name: value for name, value in environment(settings).items() if name not in ("NER_HOME", "NER_PORT")}
    with running(ours(settings.home, **given), scratch) as server:
        answer = httpx.post(
            f"http://127.0.0.1:{server.port}/api/v1/ner/batch",
            json={"texts": texts},
            headers={"X-API-Key": key},
            timeout=60,
        )
    results = answer.raise_for_status().json()["results"]
    return [[(one["start"], one["end"], one["label"]) for one in result["entities"]] for result in results]


def _restore(settings: Settings) -> None:
    """By the command, as on the day."""
    subprocess.run([COMMAND, "restore"], check=True, env=environment(settings), cwd=ROOT)


def _timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _stored(settings: Settings, scratch: Path) -> dict[str, str]:
    return objects(settings, scratch) or files(settings.artifacts)


def report(drills: list[Drill]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "| kind | rows | repository | backup | restore | RTO: it answers after | lost here | RPO: at worst | differs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in drills:
        differences = "; ".join(one.differences) or f"none ({one.audit_entries:,} audit entries verified)"
        figures = f"{one.rows:,} | {one.stored_megabytes:,.0f} MB"
        figures += f" | {one.backup_seconds:.0f} s | {one.restore_seconds:.0f} s"
        objectives = f"{one.recovery_seconds:.0f} s (< {RTO_HOURS:.0f} h) | {one.lost_seconds:.0f} s"
        objectives += f" | {one.worst_loss_hours:.2f} h (< {RPO_HOURS:.0f} h)"
        lines.append(f"| {one.kind} | {figures} | {objectives} | {differences} |")
    return lines


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=KINDS, help="may be given several times; else all")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the prediction log")
    parser.add_argument("--home", type=Path, help="an installation whose version 1.0.0 to take; else one is trained")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "drill.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
