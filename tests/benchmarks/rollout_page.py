"""The page of the rollout benchmark: docs/benchmarks-rollout.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_KEPT = "<!-- what follows is written by hand -->\n"


def write_page(
    path: Path,
    *,
    runs: int,
    peeked: Sequence[Any],
    shares: Sequence[tuple[float, float, bool]],
    live: Sequence[tuple[float, int]],
    outage: tuple[str, list[str]],
) -> None:
    """Write Markdown; what stands below the mark is kept."""
    kept = path.read_text(encoding="utf-8").partition(_KEPT)[2] if path.exists() else ""
    parts = [
        _opening(runs),
        _peeked(peeked),
        _shares(shares),
        _live(live, outage),
        _reached(peeked, shares, live, outage),
    ]
    path.write_text("\n".join([*parts, _KEPT]) + kept, encoding="utf-8")


def _opening(runs: int) -> str:
    return f"""# The rollout's verdicts, measured

Written by `make bench-rollout`: {runs:,} canaries for each true error rate, judged against a limit of 1 % after every
ten requests, up to 20,000. "Naive" is the rule that fails a canary whenever the observed share is above the limit at
p < 0.05, looked at after every hundred requests: the baseline, on the same canaries.
"""


def _peeked(peeked: Sequence[Any]) -> str:
    rows = [
        "| true error rate | failed | passed | naive rule fails | requests to the right verdict, median | 95 % within "
        "| foretold at half time, to the canary's own end | ends within the range told |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in peeked:
        rows.append(
            f"| {one.true_rate:.1%} | {one.failed:.2%} | {one.passed:.1%} | {one.naive_failed:.1%} "
            f"| {_count(one.median_requests)} | {_count(one.p95_requests)} "
            f"| {_ratio(one.foretold)} | {f'{one.foretold.within:.0%}' if one.foretold else ''} |"
        )
    return "\n".join([*rows, ""])


def _shares(shares: Sequence[tuple[float, float, bool]]) -> str:
    rows = ["| share asked | share of 100,000 ids | everybody of the step before is still there |", "|---|---|---|"]
    rows += [f"| {asked:g} % | {got:.2f} % | {'yes' if stays else 'no'} |" for asked, got, stays in shares]
    return "\n".join([*rows, ""])


def _live(live: Sequence[tuple[float, int]], outage: tuple[str, list[str]]) -> str:
    times = ", ".join(f"{seconds:.1f} s ({requests} requests)" for seconds, requests in live)
    return (
        f"Live: a controller process that looks once a second, 25 answers of the canary a second, 10 % of them errors, "
        f"the stable version without any. From the first answer to the rollback: {times}.\n"
        f"Both versions with 8 % errors for 15 s: the trial is “{outage[0]}”, open alerts: "
        f"{', '.join(outage[1]) or 'none'}.\n"
    )


def _reached(
    peeked: Sequence[Any],
    shares: Sequence[tuple[float, float, bool]],
    live: Sequence[tuple[float, int]],
    outage: tuple[str, list[str]],
) -> str:
    by_rate = {one.true_rate: one for one in peeked}
    at_limit, five, ten = by_rate[0.01], by_rate[0.05], by_rate[0.1]
    farthest = max(abs(asked - got) for asked, got, _ in shares)
    told = [one.foretold for one in peeked if one.foretold]
    promises = [one.to_own_end - 1 for one in told]
    fewest = min(one.within for one in told)
    slowest = max(seconds for seconds, _ in live)
    rows = [
        ("false rollbacks of canaries at the limit", "≤ 5 %", f"{at_limit.failed:.2%}", at_limit.failed <= 0.05),
        ("the naive rule on the same canaries", "", f"{at_limit.naive_failed:.1%}", None),
        ("median requests to reject 5 % errors", "≤ 150", _count(five.median_requests), five.median_requests <= 150),
        ("median requests to reject 10 % errors", "≤ 50", _count(ten.median_requests), ten.median_requests <= 50),
        ("requests foretold, to the canary's own end, median", "± 30 %",
         f"{min(promises):+.0%} to {max(promises):+.0%}", max(abs(one) for one in promises) <= 0.3),
        ("canaries that end within the range they are told", "≥ 80 %", f"{fewest:.0%}", fewest >= 0.8),
        ("shares of the split, farthest from what was asked", "≤ 0.5 points", f"{farthest:.2f}", farthest <= 0.5),
        ("an id stays on the canary as the share grows", "always", "", all(stays for *_, stays in shares)),
        ("rollback of 10 % errors at 25 a second, slowest of five", "≤ 10 s", f"{slowest:.1f} s", slowest <= 10),
        ("an outage of both rolls back nothing and raises an alert", "", outage[0],
         outage[0] == "running" and "shared_outage" in outage[1]),
    ]  # fmt: skip
    said = {True: "reached", False: "missed", None: "baseline"}
    lines = [f"| {name} | {reach} | {measured} | {said[holds]} |" for name, reach, measured, holds in rows]
    return "\n".join(["| figure | reach | measured | |", "|---|---|---|---|", *lines, ""])


def _ratio(foretold: Any) -> str:
    return f"{foretold.to_own_end:.2f}" if foretold else ""


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
