"""How often and how soon the rollout is right: `make bench-rollout` writes docs/benchmarks-rollout.md.

    python -m tests.benchmarks.rollout [--runs 10000]

Canaries of known quality are peeked at every ten requests; a controller in a process of its own judges traffic as it
is written, 25 answers of a canary a second.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from ner.database import Database, utc_now
from ner.migrations import migrate
from registry.alerts import list_alerts
from registry.evidence import Tally, borders
from registry.forecast import forecast
from registry.rollout import Rollout, choose_variant
from registry.trials import latest_trial
from tests.benchmarks.rollout_page import write_page
from tests.registry.canaries import World

PAGE = Path("docs/benchmarks-rollout.md")
_LIMIT, _ALARMS = 0.01, 0.05
_MOST = 20_000
_IDS = 100_000
_RATE = 25
_CONTROLLER = """
import sys, time
from ner.database import Database, utc_now
from registry.controller import Controller
controller = Controller(Database(sys.argv[1]))
while True:
    controller.tick()
    time.sleep(1.0)
"""


@dataclass(frozen=True)
class Peeked:
    """What became of canaries of one true error rate: shares of runs, and canary requests until the verdict."""

    true_rate: float
    failed: float
    passed: float
    naive_failed: float
    median_requests: float | None
    p95_requests: float | None
    foretold: "Foretold | None"


@dataclass(frozen=True)
class Foretold:
    """Of canaries without a verdict at half of the median: the total that they are told to its own end, in the median,
    and how many end within the range that they are told.
    """

    to_own_end: float
    within: float


def main() -> None:
    """Simulate, run live, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    peeked = []
    for number, rate in enumerate((0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)):
        peeked.append(peek(rate, runs, seed=number))
        print(f"true error rate {rate:.1%}: failed {peeked[-1].failed:.2%}", file=sys.stderr, flush=True)
    live = [live_rollback(seed) for seed in range(5)]
    write_page(PAGE, runs=runs, peeked=peeked, shares=hash_shares(), live=live, outage=live_outage())


def peek(true_rate: float, runs: int, *, seed: int) -> Peeked:
    """Look after every ten requests, up to 20,000; the naive rule looks every hundred and fails at p < 0.05."""
    generator = np.random.default_rng(seed)
    looks = np.arange(10, _MOST + 1, 10)
    table = borders(looks, _LIMIT, _ALARMS)
    failing, passing = np.zeros(runs, np.int64), np.zeros(runs, np.int64)
    naive = 0
    z = NormalDist().inv_cdf(1 - _ALARMS)
    naive_from = looks * _LIMIT + z * np.sqrt(looks * _LIMIT * (1 - _LIMIT))
    for run in range(runs):
        seen = generator.binomial(10, true_rate, len(looks)).cumsum()
        fails, passes = seen >= table.fail_from, seen <= table.pass_up_to
        failing[run] = looks[fails.argmax()] if fails.any() else 0
        passing[run] = looks[passes.argmax()] if passes.any() else 0
        naive += bool((seen[9::10] > naive_from[9::10]).any())
    failed = (failing > 0) & ((passing == 0) | (failing < passing))
    passed = (passing > 0) & ~failed
    wanted = failing[failed] if true_rate > _LIMIT else passing[passed]
    median = float(np.median(wanted)) if len(wanted) > runs / 2 else None
    return Peeked(
        true_rate,
        float(failed.mean()),
        float(passed.mean()),
        naive / runs,
        median,
        float(np.percentile(wanted, 95)) if median is not None else None,
        _foretold(true_rate, median, generator),
    )


def _foretold(true_rate: float, median: float | None, generator: np.random.Generator) -> Foretold | None:
    """Ask 600 canaries at half of the median, and let them go on."""
    if median is None:
        return None
    looks = np.arange(10, _MOST + 1, 10)
    table = borders(looks, _LIMIT, _ALARMS)
    half = max(10, int(median / 20) * 10)
    ratios, within = [], 0
    for _ in range(600):
        seen = generator.binomial(10, true_rate, len(looks)).cumsum()
        settled = (seen >= table.fail_from) | (seen <= table.pass_up_to)
        end = int(looks[settled.argmax()]) if settled.any() else _MOST
        if end <= half:
            continue
        told = forecast(Tally(int(seen[half // 10 - 1]), half), _LIMIT, _ALARMS)
        # Looks come every ten requests.
        ratios.append(10 * math.ceil((half + told.requests) / 10) / end if told is not None else math.inf)
        if told is not None:
            within += half + told.low <= end <= (half + told.high + 9 if told.high is not None else math.inf)
    return Foretold(float(np.median(ratios)), within / len(ratios))


def hash_shares() -> list[tuple[float, float, bool]]:
    """For each step: the share of 100,000 ids that met the canary in percent, and whether all of the last step did."""
    shares, before = [], np.zeros(_IDS, np.bool_)
    for percent in (5.0, 25.0, 50.0, 75.0, 100.0):
        state = Rollout(1, "1.0.0", "1.1.0", None, percent, "a salt", "canary", "", "bench", utc_now())
        meets = np.array([choose_variant(state, f"document {number}") == "canary" for number in range(_IDS)])
        shares.append((percent, 100 * float(meets.mean()), bool(meets[before].all())))
        before = meets
    return shares


def live_rollback(seed: int) -> tuple[float, int]:
    """Seconds until a canary with 10 % errors is rolled back by a controller in its own process, and its requests."""
    generator = np.random.default_rng(seed)

    def step(world: World) -> int:
        failed = int(generator.binomial(_RATE // 5, 0.1))
        world.traffic(canary=_RATE // 5, stable=19 * _RATE // 5, canary_bad=failed)
        return _RATE // 5

    seconds, requests, status = _live(step, seconds=60)
    assert status == "rolled_back", status
    return seconds, requests


def live_outage() -> tuple[str, list[str]]:
    """What became of a canary when both versions fail in 10 % of requests for 15 seconds, and the open alerts."""
    alerts: list[str] = []

    def step(world: World) -> int:
        world.traffic(canary=_RATE, stable=19 * _RATE, canary_bad=_RATE // 10, stable_bad=19 * _RATE // 10)
        with world.database.reading() as connection:
            alerts[:] = [alert.kind for alert in list_alerts(connection, only_open=True)]
        return _RATE

    *_, status = _live(step, seconds=15)
    return status, alerts


def _live(step: Callable[[World], int], *, seconds: float) -> tuple[float, int, str]:
    """Traffic until the trial ends or the time is up: seconds, requests of the canary, and the trial's status."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/trial.db"
        database = Database(url)
        migrate(database)
        world = World(database)
        world.begin()
        requests, status = 0, "running"
        with subprocess.Popen([sys.executable, "-c", _CONTROLLER, url]) as controller:
            world.now = utc_now()
            started = time.monotonic()
            while status == "running" and time.monotonic() - started < seconds:
                world.now = utc_now()
                world.report()
                requests += step(world)
                time.sleep(0.2)
                with database.reading() as connection:
                    trial = latest_trial(connection)
                status = trial.status if trial else ""
            took = time.monotonic() - started
            controller.kill()
        database.close()
    return took, requests, status


if __name__ == "__main__":
    main()
