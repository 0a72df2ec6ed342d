"""`make bench-serving`: how fast the API answers, beside what limits it and beside its peers, in one run.

    python -m tests.benchmarks.serving [--home FOLDER] [--peers PYTHON] [--seconds 5] [--rounds 3] [--output FILE]

Rounds are interleaved, so that what else the machine does hits everybody alike; figures are medians of the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings, secret_key
from registry.keys import create_key
from registry.mlflow_store import MODEL
from registry.rollout import current_rollout
from registry.versions import get_version
from tests.benchmarks.contestants import PREDICT, Contestant, contestants, ours, throw_away_environment
from tests.benchmarks.firing import Order, Shots
from tests.benchmarks.report import write_report
from tests.benchmarks.servers import Command, Server, clean_up_when_stopped, precede, running, takes_precedence
from tests.running import ROOT
from training.starter_corpus import generate

_TEXTS = 60_000
_SAME = "John lives in New York"


@dataclass
class Measured:
    """What the rounds of one contestant gave."""

    rounds: list[Shots] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    ready_seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def median(self, name: str) -> float:
        """The median of one figure over the rounds."""
        own = getattr(self, name, None)
        return statistics.median(own if own is not None else [getattr(shots, name) for shots in self.rounds])


class Range:
    """Where it all happens: an installation with a stable version, a key, and files of bodies."""

    def __init__(self, home: Path, scratch: Path) -> None:
        self.home, self.scratch = home, scratch
        settings = Settings(_env_file=None, home=home)  # type: ignore[call-arg]
        database = Database(settings.database)
        migrate(database)
        self._ensure_stable(database)
        with database.transaction() as connection:
            self.version = str(current_rollout(connection).stable)
            number = get_version(connection, self.version).mlflow_version
            self.mlflow_model = f"models:/{MODEL}/{number}" if number else None
            _, self.key = create_key(
                connection, secret_key(settings), "bench", "viewer", rate_limit_per_hour=2 * 10**9, created_by="bench"
            )
        database.close()
        self.package = settings.artifacts / "versions" / self.version
        texts = list(dict.fromkeys(found.text for found in generate(_TEXTS, 7)))
        self._write("distinct", [{"text": text} for text in texts])
        self._write("same", [{"text": _SAME}])
        self._write("inputs", [{"inputs": [text]} for text in texts])
        self._next = 0

    def fire(self, server: Server, path: str, texts: str, seconds: float, **more: Any) -> Shots:
        """Run the load generator against a server; no distinct text is sent twice."""
        order = Order(
            port=server.port,
            path=path,
            bodies=str(self.bodies(texts)),
            seconds=seconds,
            headers={"X-API-Key": self.key},
            first_body=self._next,
            **more,
        )
        fired = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.firing"],
            input=json.dumps(asdict(order)),
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if fired.returncode != 0:
            raise RuntimeError(f"{fired.stderr[-1500:]}\n{server.log.read_text()[-1500:]}")
        shots = Shots(**json.loads(fired.stdout))
        self._next = shots.next_body if texts != "same" else self._next
        return shots

    def bodies(self, texts: str) -> Path:
        """The file of bodies of one kind."""
        return self.scratch / f"{texts}.jsonl"

    def keras_model(self) -> Path | None:
        """The version's network as MLflow's Keras flavour keeps it; None, with the reason told, where there is none."""
        command = [sys.executable, "-m", "tests.benchmarks.keras_flavour", str(self.package)]
        done = subprocess.run(
            [*command, str(self.bodies("distinct")), str(self.scratch)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if done.returncode != 0:
            print(f"The Keras flavour is left out: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return None
        return self.scratch / "model"

    def _write(self, name: str, bodies: list[dict[str, Any]]) -> None:
        self.bodies(name).write_text("\n".join(map(json.dumps, bodies)))

    def _ensure_stable(self, database: Database) -> None:
        with database.reading() as connection:
            if current_rollout(connection).stable is not None:
                return
        environment = {**os.environ, "NER_HOME": str(self.home)}
        subprocess.run([sys.executable, "-m", "training", "starter"], check=True, env=environment, cwd=ROOT)


def measure(range_: Range, contestant: Contestant, measured: Measured, seconds: float) -> None:
    """One round of one contestant: 16 connections, each asking again when it was answered."""
    with running(contestant.command, range_.scratch) as server:
        measured.ready_seconds.append(server.ready_seconds)
        used, first = server.cpu_seconds(), range_._next
        shots = range_.fire(server, contestant.path, contestant.texts, seconds)
        sent = shots.next_body - first
        measured.cpu_us.append((server.cpu_seconds() - used) / sent * 1e6)
        measured.megabytes.append(server.megabytes())
        measured.rounds.append(shots)


def under_rate(range_: Range, command: Command, rate: float, seconds: float, connections: int) -> Shots:
    """Open loop at `rate` requests a second, distinct texts."""
    with running(command, range_.scratch) as server:
        range_.fire(server, PREDICT, "distinct", 1.0)
        return range_.fire(server, PREDICT, "distinct", seconds, rate=rate, connections=connections)


def model_limit(range_: Range, seconds: float) -> dict[str, Any]:
    """Sentences per second of ONNX Runtime alone and of the tagger."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.model_limit",
        str(range_.package),
        str(range_.bodies("distinct")),
    ]
    done = subprocess.run([*command, str(seconds)], capture_output=True, text=True, check=True, cwd=ROOT)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure everybody and write the report."""
    given = _arguments()
    clean_up_when_stopped()
    if takes_precedence():
        precede(os.getpid())
    with tempfile.TemporaryDirectory(prefix="ner-bench-") as folder:
        scratch = Path(folder)
        peers = given.peers or throw_away_environment(scratch / "peers")
        range_ = Range(given.home or scratch / "home", scratch)
        field_ = list(contestants(range_.home, range_.package, peers, range_.mlflow_model, range_.keras_model()))
        measured = {one.name: Measured() for one in field_}
        for round_ in range(given.rounds):
            for one in field_:
                try:
                    measure(range_, one, measured[one.name], given.seconds)
                    print(f"{round_ + 1}: {one.name}: {measured[one.name].rounds[-1].rps:,.0f} rps", file=sys.stderr)
                except RuntimeError as error:
                    print(f"{one.name} is left out: {error}", file=sys.stderr)
        capacity = measured["this API, nothing cached"].median("rps")
        half = under_rate(range_, ours(range_.home), capacity / 2, given.seconds * 2, 64)
        over = under_rate(range_, ours(range_.home), capacity * 3, given.seconds * 2, 1024)
        write_report(given.output, measured, half, over, model_limit(range_, given.seconds / 3), given.note)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="an installation with a stable version; else one is trained")
    parser.add_argument(
        "--peers", type=Path, help="an interpreter with the peers; else they are installed for this run"
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks-serving.md")
    parser.add_argument("--note", default="", help="what else the machine did meanwhile")
    return parser.parse_args()


if __name__ == "__main__":
    main()
