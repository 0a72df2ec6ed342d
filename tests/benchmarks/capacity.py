"""How far one machine reaches, and what stands in the way of more: `docs/capacity.md`, from measured figures.

    python -m tests.benchmarks.capacity

One API process is simulated as what it is: a loop that takes every text that waits and analyses them together. Its
constants come from `docs/benchmarks-serving.md`: of the tagger from its table without HTTP, of a request from the rate
of sixteen connections. The simulation is then held against the latencies, which it was not fitted to.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path("docs/capacity.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BATCH_US, TEXT_US, REQUEST_US = 96.0, 76.0, 421.0
"""What the loop takes: for a batch however small, for each text in it, for a request around its text."""
NEW_CPU_US, CACHED_CPU_US = 625.0, 230.0
"""Processor time of all threads for a request, the log's writer among them: of a new text, of a cached answer."""
LARGEST_BATCH = 32
_REQUESTS = 200_000
_WARM = 5_000
FULL = 0.6
"""The share of a process that is planned for: see the curve."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds; `rate` is requests answered a second."""

    rate: float
    p50: float
    p95: float
    p99: float


def open_loop(rate: float, *, requests: int = _REQUESTS, seed: int = 1) -> Latency:
    """One process that is asked `rate` new texts a second, at random moments (a Poisson stream)."""
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1e6 / rate, requests))
    answered = np.empty(requests)
    now, place = 0.0, 0
    while place < requests:
        now = max(now, arrivals[place])
        waiting = min(LARGEST_BATCH, int(np.searchsorted(arrivals, now, side="right")) - place)
        now += batch_us(waiting)
        answered[place : place + waiting] = now
        place += waiting
    return _latency((answered - arrivals)[_WARM:], requests / (now / 1e6))


def closed_loop(connections: int) -> Latency:
    """One process and connections that ask again as soon as they were answered: all wait, all are taken."""
    time = batch_us(connections)
    return Latency(1e6 * connections / time, time / 1e3, time / 1e3, time / 1e3)


def batch_us(texts: int) -> float:
    """Microseconds to answer so many texts together."""
    return BATCH_US + texts * (TEXT_US + REQUEST_US)


def _latency(waited_us: Any, rate: float) -> Latency:
    p50, p95, p99 = (float(value) / 1e3 for value in np.quantile(waited_us, [0.5, 0.95, 0.99]))
    return Latency(rate, p50, p95, p99)


def processes_for(rate: float, cached_share: float) -> int:
    """API processes, each with a processor of its own, at the planned load."""
    seconds = rate * (cached_share * CACHED_CPU_US + (1 - cached_share) * NEW_CPU_US) / 1e6
    return max(1, math.ceil(seconds / FULL))


def _most() -> float:
    return closed_loop(16).rate


def main() -> None:
    """Write the figures between the page's marks."""
    page = PAGE.read_text(encoding="utf-8")
    body = "\n".join([*_check(), "", *_curve(), "", *_machines()])
    PAGE.write_text(f"{page.split(BEGIN)[0]}{BEGIN}\n\n{body}\n\n{END}{page.split(END)[1]}", encoding="utf-8")


def _check() -> list[str]:
    full, half = closed_loop(16), open_loop(993)
    rows = [
        ("16 connections, requests a second (fitted)", f"{full.rate:,.0f}", "1,987"),
        ("16 connections, p50", f"{full.p50:.1f} ms", "8.0 ms"),
        ("993 requests a second, p99", f"{half.p99:.1f} ms", "7.1 ms"),
    ]
    return _table(("one process, nothing cached", "simulated", "measured"), rows)


def _curve() -> list[str]:
    rows = []
    for share in (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        found = open_loop(share * _most())
        rows.append(
            (f"{share:.0%}", f"{share * _most():,.0f}", f"{found.p50:.1f}", f"{found.p95:.1f}", f"{found.p99:.1f}")
        )
    return _table(("load of a process", "requests/s", "p50 ms", "p95 ms", "p99 ms"), rows)


def _machines() -> list[str]:
    rows = []
    for rate in (100, 10_000, 1_000_000):
        for cached in (0.0, 0.5):
            processes = processes_for(rate, cached)
            machines = {cores: max(2, math.ceil(processes / (cores - 1)) + 1) for cores in (2, 8)}
            cores = machines[8] * 8
            rows.append(
                (
                    f"{rate:,}",
                    f"{cached:.0%}",
                    f"{processes:,}",
                    f"{machines[2]:,}",
                    f"{machines[8]:,}",
                    f"{cores / rate / 3600 * 1e6:,.2f} × P",
                )
            )
    heads = ("requests/s", "cached", "API processes", "machines of 2 cores", "of 8 cores", "money per million requests")
    return _table(heads, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]


if __name__ == "__main__":
    main()
