"""What callers notice of a rollout at 500 requests a second: of switching versions, and of a canary in the shadow.

    python -m tests.benchmarks.switching [--home FOLDER] [--seconds 20] [--rounds 5]

One API process, open loop, no text sent twice. While it answers, the other version is promoted and the last promotion
is rolled back, in turn. The shadow is switched on and off in turn, so that what else the machine does hits both alike.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from ner.database import Database
from ner.settings import Settings, secret_key
from registry.keys import create_key
from registry.packages import SUMS, open_store
from registry.signatures import SIGNATURE
from registry.versions import register
from tests.benchmarks.contestants import PREDICT, ours
from tests.benchmarks.firing import Shots
from tests.benchmarks.servers import Server, clean_up_when_stopped, precede, running, takes_precedence
from tests.benchmarks.serving import Range
from tests.builders import a_version

_RATE = 500.0
_CONNECTIONS = 64
_OTHER = "9.0.0"
_PAUSE_SECONDS = 1.0


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="an installation with a stable version; else one is trained")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    clean_up_when_stopped()
    if takes_precedence():
        precede(os.getpid())
    with tempfile.TemporaryDirectory(prefix="ner-bench-") as folder:
        range_ = Range(given.home or Path(folder) / "home", Path(folder))
        administrator = _second_version(range_)
        with running(ours(range_.home), range_.scratch) as server, _calling(server, administrator) as http:
            _fire(range_, server, 2.0)
            _report_switches(range_, server, http, given.seconds)
            _report_shadow(range_, server, http, given.seconds / 4, given.rounds)


def _report_switches(range_: Range, server: Server, http: httpx.Client, seconds: float) -> None:
    calm = _fire(range_, server, seconds)
    switched: list[float] = []
    with _in_turn([lambda: _post(http, "promote", version=_OTHER), lambda: _post(http, "rollback")], switched):
        busy = _fire(range_, server, seconds)
    print(f"no switch:     {_words(calm)}")
    print(f"{len(switched)} switches:   {_words(busy)}; a switch took {statistics.median(switched) * 1000:.0f} ms")


def _report_shadow(range_: Range, server: Server, http: httpx.Client, seconds: float, rounds: int) -> None:
    _post(http, "canary", version=_OTHER, percent=0)
    found: dict[float, list[Shots]] = {0.0: [], 10.0: [], 100.0: []}
    for _ in range(rounds):
        for percent, shots in found.items():
            http.put("/api/v1/rollout/shadow", json={"percent": percent}).raise_for_status()
            _fire(range_, server, 1.0)
            shots.append(_fire(range_, server, seconds))
    for percent, shots in found.items():
        p99 = [one.p99 for one in shots]
        spread = f"{statistics.median(p99):.1f} ms ({min(p99):.1f} to {max(p99):.1f} in {rounds} rounds)"
        sent, failed = sum(one.sent for one in shots), sum(one.failed for one in shots)
        p50 = statistics.median(one.p50 for one in shots)
        print(f"shadow {percent:g} %: p50 {p50:.1f} ms, p99 {spread}, {failed} of {sent:,} failed")


def _second_version(range_: Range) -> str:
    """Register the stable package once more, as another version; the key of an administrator."""
    settings = Settings(_env_file=None, home=range_.home)  # type: ignore[call-arg]
    database = Database(settings.database)
    draft = range_.scratch / "draft"
    shutil.copytree(range_.package, draft, ignore=shutil.ignore_patterns(SUMS, SIGNATURE))
    digest = open_store(settings).add(_OTHER, draft)
    with database.transaction() as connection:
        register(connection, a_version(_OTHER, package_hash=digest))
        _, key = create_key(
            connection, secret_key(settings), "switch", "admin", rate_limit_per_hour=None, created_by="bench"
        )
    database.close()
    return key


@contextmanager
def _calling(server: Server, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"X-API-Key": key}, timeout=30) as http:
        yield http


@contextmanager
def _in_turn(actions: list[Callable[[], None]], seconds: list[float]) -> Iterator[None]:
    """Do the actions in turn, with a pause after each, until the block ends; `seconds` gets what each took."""
    stopping, failures = threading.Event(), []

    def work() -> None:
        number = 0
        while not stopping.wait(_PAUSE_SECONDS):
            began = time.perf_counter()
            try:
                actions[number % len(actions)]()
            except httpx.HTTPError as error:
                failures.append(error)
                return
            seconds.append(time.perf_counter() - began)
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
    if failures:
        raise failures[0]


def _post(http: httpx.Client, action: str, **body: object) -> None:
    http.post(f"/api/v1/rollout/{action}", json={"reason": "a benchmark", **body}).raise_for_status()


def _fire(range_: Range, server: Server, seconds: float) -> Shots:
    return range_.fire(server, PREDICT, "distinct", seconds, rate=_RATE, connections=_CONNECTIONS)


def _words(shots: Shots) -> str:
    latencies = f"p50 {shots.p50:.1f}, p95 {shots.p95:.1f}, p99 {shots.p99:.1f} ms"
    return f"{shots.sent:,} requests, {shots.failed} failed, {latencies}"


if __name__ == "__main__":
    main()
