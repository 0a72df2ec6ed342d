"""What the load generator counts is what was sent, and what it says of it is what the table says."""

import asyncio
import collections
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.profiles import Profile
from tests.load.report import overall, summary
from tests.load.seconds import Seconds
from tests.load.verdicts import judge, limits_of, seconds_to_recover
from tests.running import ROOT

_BEGAN = 1_000


@given(st.lists(st.floats(0.0, 20_000.0), min_size=1, max_size=200), st.integers(1, 5))
def test_quantiles_are_those_of_all_latencies_when_several_generators_counted_them(
    latencies: list[float], generators: int
) -> None:
    together = Seconds()
    for number in range(generators):
        own = Seconds()
        for index, latency in enumerate(latencies[number::generators]):
            own[index % 3].add(latency, "status 503" if index % 4 == 0 else None)
        together.merge(own.take())
        assert not own
    answers = together.between(0, 3)
    rounded = np.round(np.array(latencies), 1)
    for share, found in ((0.50, answers.p50), (0.95, answers.p95), (0.99, answers.p99)):
        assert found == pytest.approx(np.quantile(rounded, share, method="inverted_cdf"), abs=0.11)
    assert answers.count == len(latencies)
    assert answers.failed == sum(-(-len(latencies[number::generators]) // 4) for number in range(generators))


def _run(profile: Profile, second: Callable[[int], tuple[int, float, int]], length: int) -> Seconds:
    """What came back if each second gave so many answers, of so many milliseconds, so many of them failed."""
    seconds = Seconds()
    for at in range(length):
        phase = profile.phase_at(at)
        assert phase is not None
        count, latency, failed = second(phase.rate)
        for number in range(count):
            seconds[_BEGAN + at].add(latency, "status 503" if number < failed else None)
    return seconds


@pytest.mark.parametrize(
    ("answers", "grade"),
    [
        ((500, 40.0, 0), "target"),
        ((500, 50.0, 0), "acceptable"),
        ((500, 100.0, 0), "poor"),
        ((500, 40.0, 1), "acceptable"),
        ((500, 40.0, 5), "poor"),
        ((494, 40.0, 0), "acceptable"),
        ((199, 40.0, 0), "poor"),
    ],
)
def test_a_run_is_graded_by_its_worst_figure(answers: tuple[int, float, int], grade: str) -> None:
    profile = Profile("peak", 10)
    verdicts = judge(profile, _run(profile, lambda _: answers, 10), _BEGAN)
    assert overall(profile, verdicts) == grade


@pytest.mark.parametrize(("limit", "grade"), [(800, "target"), (300, "acceptable"), (100, "poor")])
def test_stress_names_the_highest_rate_that_met_every_target(limit: int, grade: str) -> None:
    profile = Profile("stress", 2)
    seconds = _run(profile, lambda rate: (rate, 10.0 if rate <= limit else 1_500.0, 0), 2 * (limit // 100 + 1))
    verdicts = judge(profile, seconds, _BEGAN)
    assert limits_of(verdicts) == {"target": limit, "acceptable": limit}
    assert overall(profile, verdicts) == grade
    said = summary(profile, verdicts, seconds, _BEGAN, is_broken=True)
    assert f"met up to {limit:,}/s" in said
    assert f"broke at {limit + 100:,}/s" in said


@pytest.mark.parametrize("slow", [0, 3])
def test_recovery_is_the_time_until_no_second_is_slow_any_more(slow: int) -> None:
    seconds = Seconds()
    for at in range(10):
        seconds[at].add(900.0 if at < slow else 10.0, None)
    assert seconds_to_recover(seconds, 0.0) == slow
    seconds[10].add(900.0, None)
    assert seconds_to_recover(seconds, 0.0) is None


class _Understudy:
    """A server that answers each request by a rule, and counts what it gave."""

    def __init__(self, rule: Callable[[int], tuple[int, float]]) -> None:
        self.given: collections.Counter[int] = collections.Counter()
        self._rule = rule

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), b":0")
                await reader.readexactly(int(length.split(b":")[1]))
                status, seconds = self._rule(self.given.total())
                self.given[status] += 1
                await asyncio.sleep(seconds)
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % status)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@contextmanager
def _serving(understudy: _Understudy) -> Iterator[str]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(understudy.serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def _load(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.load", *arguments]
    environment = {**os.environ, "NER_API_KEY": "ner_key"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


def test_stress_stops_where_the_server_breaks_and_draws_it(tmp_path: Path) -> None:
    understudy = _Understudy(lambda number: (503 if number >= 150 and number % 2 else 200, 0.0))
    with _serving(understudy) as host:
        done = _load("stress", "--step", "6", "--host", host, "--output", str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "it broke at 100/s" in done.stdout
    counted = int(done.stdout.partition(" × status 503")[0].rpartition(" ")[2])
    # What was on its way when the test ended is not counted.
    assert understudy.given[503] - 5 <= counted <= understudy.given[503]
    assert (tmp_path / "stress.svg").read_text().startswith("<?xml")
    assert (tmp_path / "stress.md").read_text() in done.stdout


def test_a_stalled_server_is_seen_to_stall_by_every_request_that_was_due(tmp_path: Path) -> None:
    """Each connection stalls once, for three seconds; one that waited for it would count one slow answer of many."""
    understudy = _Understudy(lambda number: (200, 3.0 if 100 <= number < 200 else 0.0))
    with _serving(understudy) as host:
        done = _load("normal", "--seconds", "5", "--host", host, "--output", str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if "latency" in line]
    p50, p95 = (float(row[3].split()[0]) for row in rows[:2])
    assert p50 > 500
    assert p95 > 1_500
