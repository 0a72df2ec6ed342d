"""The table of targets, and where a run stands in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.load.profiles import Phase, Profile
from tests.load.seconds import Answers, Seconds

Grade = Literal["target", "acceptable", "poor"]
_ORDER: tuple[Grade, ...] = ("target", "acceptable", "poor")

P50_MS, P95_MS, P99_MS = (50, 100), (150, 300), (300, 500)
"""Milliseconds: below the first is the target, below the second acceptable, anything more poor."""
THROUGHPUT = (500, 200)
"""Requests a second: above the first is the target, above the second acceptable."""
FAILED = (0.001, 0.01)
"""Share of requests without a good answer."""
# A profile that offers less than the target cannot show more than it offers.
_KEPT = (0.99, 0.90)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, as it is read."""

    metric: str
    measured: str
    target: str
    acceptable: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class PhaseVerdict:
    """What came back in one phase, and how good that is."""

    phase: Phase
    answers: Answers
    seconds: float
    rows: tuple[Row, ...]

    @property
    def grade(self) -> Grade:
        """Of the worst line."""
        return worst(row.grade for row in self.rows)

    @property
    def good_rate(self) -> float:
        """Good answers a second."""
        return (self.answers.count - self.answers.failed) / self.seconds


def worst(grades: Iterable[Grade]) -> Grade:
    """The worst of several; "target" of none."""
    return max(grades, key=_ORDER.index, default="target")


def judge(profile: Profile, seconds: Seconds, began: int) -> list[PhaseVerdict]:
    """A verdict on each phase that ran, `began` being when the first started (seconds since the epoch)."""
    last = max(seconds, default=began) + 1
    verdicts = []
    for phase in profile.phases():
        start, end = began + phase.start, min(began + phase.end, last)
        if end - start < 1:
            break
        answers = seconds.between(start, end)
        rows = tuple(_rows(answers, phase.rate, end - start))
        verdicts.append(PhaseVerdict(phase, answers, end - start, rows))
    return verdicts


def _rows(answers: Answers, offered: int, seconds: float) -> Iterable[Row]:
    for name, measured, (target, acceptable) in (
        ("p50", answers.p50, P50_MS),
        ("p95", answers.p95, P95_MS),
        ("p99", answers.p99, P99_MS),
    ):
        grade = _grade(measured < target, measured < acceptable and answers.count > 0)
        yield Row(f"{name} latency", f"{measured:.1f} ms", f"< {target} ms", f"< {acceptable} ms", grade)
    rate = (answers.count - answers.failed) / seconds
    target_rate, acceptable_rate = (min(most, offered * kept) for most, kept in zip(THROUGHPUT, _KEPT, strict=True))
    grade = _grade(rate >= target_rate, rate >= acceptable_rate)
    yield Row(
        "throughput", f"{rate:.1f}/s of {offered:,}", f"≥ {target_rate:.0f}/s", f"≥ {acceptable_rate:.0f}/s", grade
    )
    share = answers.failed_share
    grade = _grade(share < FAILED[0], share < FAILED[1])
    yield Row("errors", f"{share:.3%}", f"< {FAILED[0]:.1%}", f"< {FAILED[1]:.0%}", grade)


def _grade(is_target: bool, is_acceptable: bool) -> Grade:
    return "target" if is_target and is_acceptable else "acceptable" if is_acceptable else "poor"


def limits_of(verdicts: Sequence[PhaseVerdict]) -> dict[Grade, int]:
    """The highest rate up to which every step of "stress" met a grade; 0 where the first did not."""
    found: dict[Grade, int] = {"target": 0, "acceptable": 0}
    for grade in found:
        for verdict in verdicts:
            if _ORDER.index(verdict.grade) > _ORDER.index(grade):
                break
            found[grade] = verdict.phase.rate
    return found


def seconds_to_recover(seconds: Seconds, spike_ended: float) -> int | None:
    """How long after a spike the p95 of a second was last above the target; None where it never came below it."""
    after = sorted(at for at in seconds if at >= spike_ended)
    slow = [at for at in after if seconds.between(at, at + 1).p95 >= P95_MS[0]]
    if not after or (slow and slow[-1] == after[-1]):
        return None
    return int(slow[-1] + 1 - spike_ended) if slow else 0
