"""Refused requests are counted one by one and written down together: nothing is lost, and each stays in its bin."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from registry.logged import RefusedRequests
from registry.refusals import RefusalTally
from registry.rollups import Histogram, count_up

_LATENCIES = st.floats(0, 200_000)


def _latencies(refused: list[RefusedRequests]) -> Histogram:
    total = Counter[str]()
    for rollup in count_up([], refused):
        total.update({key: int(count) for key, count in rollup.histogram("latency_ms").items()})
    return dict(total)


@given(st.lists(st.tuples(st.sampled_from([401, 429, 503]), _LATENCIES), max_size=60))
def test_what_is_counted_together_is_what_would_be_counted_alone(refusals: list[tuple[int, float]]) -> None:
    tally, alone = RefusalTally(), list[RefusedRequests]()
    for status, latency_ms in refusals:
        before = time.time()
        tally.add(status, latency_ms)
        alone += [RefusedRequests(one.at, status, latency_ms) for one in _now(before)]
    together = tally.take()
    assert len(tally) == 0
    assert _latencies(together) == _latencies(alone)
    told, expected = count_up([], together), count_up([], alone)
    for name in ("requests", "errors_4xx", "errors_5xx"):
        assert sum(getattr(one, name) for one in told) == sum(getattr(one, name) for one in expected)


def _now(before: float) -> list[RefusedRequests]:
    """One at this moment, as the tally dates it."""
    tally = RefusalTally()
    tally.add(503, 0.0)
    (one,) = tally.take()
    assert before - 60 < one.at.timestamp() <= time.time()
    return [one]


def test_nothing_is_lost_while_others_take_what_was_counted() -> None:
    tally, taken = RefusalTally(), list[RefusedRequests]()

    def refuse(count: int) -> None:
        for _ in range(count):
            tally.add(503, 0.1)

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(refuse, 5_000) for _ in range(4)]
        while not all(one.done() for one in running):
            taken += tally.take()
    taken += tally.take()
    assert sum(one.requests for one in taken) == 20_000
