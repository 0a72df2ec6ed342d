"""A canary that fails at a share of texts, in a real API process, judged by a real worker process.

python -m tests.registry.live
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from api.wiring import PACKAGES
from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings, secret_key
from registry.keys import create_key
from registry.packages import PackageStore
from registry.rollout import set_stable
from registry.trials import Trial, latest_trial, start_trial
from registry.versions import register
from tests.api.dictionary import BREAKS, WORDS
from tests.builders import a_version
from tests.running import ROOT, free_port, wait_until

POLICY = """
steps_percent: [50, 100]
bake: {shortest_hours: 1, longest_hours: 2}
false_alarm_rate: 0.05
criteria:
  error_rate: {limit: 0.01, on_breach: roll_back}
"""
_API = """
import sys, uvicorn
from api.main import create_app
from ner.settings import load_settings
from tests.api.dictionary import DictionaryTagger
app = create_app(load_settings(), tagger_loader=DictionaryTagger)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical", access_log=False)
"""


@dataclass
class Seen:
    """What callers were answered, by version and whether another version stood in, and how many statuses."""

    answers: Counter[tuple[str, bool]] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    trial: Trial | None = None


@contextmanager
def installation(folder: Path) -> Iterator[tuple[Database, httpx.Client]]:
    """The API and the worker, each a process, with 1.0.0 stable and 1.1.0 registered, which breaks at some texts."""
    settings = Settings(_env_file=None, home=folder / "home", secret_key="a key for tests")  # type: ignore[call-arg]
    settings.home.mkdir(parents=True)
    database = Database(settings.database)
    migrate(database)
    store = PackageStore(settings.artifacts / PACKAGES)
    for version, breaks in (("1.0.0", False), ("1.1.0", True)):
        draft = folder / version
        draft.mkdir()
        package = {"words": WORDS, "confidence": 0.9, "breaks": breaks}
        for name, content in (("words.json", package), ("metadata.json", {})):
            (draft / name).write_text(json.dumps(content), encoding="utf-8")
        with database.transaction() as connection:
            register(connection, a_version(version, package_hash=store.add(version, draft)))
    with database.transaction() as connection:
        set_stable(connection, "1.0.0", actor="ada")
        _, key = create_key(connection, secret_key(settings), "load", "admin", rate_limit_per_hour=None, created_by="a")
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NER_")}
    environment |= {"NER_HOME": str(settings.home), "NER_SECRET_KEY": "a key for tests", "NER_PORT": str(port)}
    commands = ([sys.executable, "-c", _API, str(port)], [sys.executable, "-m", "training", "worker"])
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) for command in commands
    ]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, timeout=30) as http:
            wait_until(lambda: _is_up(http) or processes[0].poll() is not None, what="the API")
            wait_until(lambda: (settings.home / "worker.alive").exists(), what="the worker")
            yield database, http
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
        database.close()


def roll_out_and_fail(
    database: Database, http: httpx.Client, *, canary_rate: float, error_share: float, seed: int, patience: float
) -> Seen:
    """Begin the trial, send traffic of which `canary_rate` a second meets the canary and `error_share` of all breaks
    it, until the trial has ended; `seconds` count from the first answer that the trial had.
    """
    generator, seen = random.Random(seed), Seen()
    http.post("/api/v1/ner/predict", json={"text": "John"}).raise_for_status()
    with database.transaction() as connection:
        start_trial(connection, "1.1.0", POLICY, actor="ada")
    wait_until(lambda: http.get("/api/v1/ner/health").json()["canary"] == "1.1.0", what="the canary")
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < patience:
        text = f"John {sent} {seed}" + (f" {BREAKS}" if generator.random() < error_share else "")
        answer = http.post("/api/v1/ner/predict", json={"text": text})
        sent += 1
        seen.statuses[answer.status_code] += 1
        if answer.is_success:
            body = answer.json()
            seen.answers[body["model_version"], body["degraded"]] += 1
        if sent % 10 == 0:
            with database.reading() as connection:
                seen.trial = latest_trial(connection)
            if seen.trial is not None and not seen.trial.is_active:
                break
        # Half of the traffic is the canary's. Requests are due at a rate, however long answers take.
        time.sleep(max(0.0, began + sent / (2 * canary_rate) - time.monotonic()))
    seen.seconds = time.monotonic() - began
    return seen


def _is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/api/v1/ner/health").is_success
    except httpx.TransportError:
        return False


def main() -> None:
    """Five canaries with 10 % errors, 25 answers of the canary a second: what docs/benchmarks-rollout.md tells."""
    for seed in range(5):
        with tempfile.TemporaryDirectory() as folder, installation(Path(folder)) as (database, http):
            seen = roll_out_and_fail(database, http, canary_rate=25, error_share=0.1, seed=seed, patience=60)
        ended = seen.trial.status if seen.trial is not None else "none"
        met = sum(count for (version, degraded), count in seen.answers.items() if version == "1.1.0" or degraded)
        not_answered = seen.statuses.total() - seen.statuses[200]
        print(f"{ended} after {seen.seconds:.1f} s, {met} requests of the canary, {not_answered} callers refused")


if __name__ == "__main__":
    main()
