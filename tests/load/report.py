"""What a run showed, in words: the table of targets for each phase, and the sentence that sums it up."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.load.profiles import Profile
from tests.load.seconds import Seconds
from tests.load.verdicts import Grade, PhaseVerdict, limits_of, seconds_to_recover, worst

_THROUGHPUT_GRADES: tuple[tuple[int, Grade], ...] = ((500, "target"), (200, "acceptable"))


def overall(profile: Profile, verdicts: Sequence[PhaseVerdict]) -> Grade:
    """The worst phase; of "stress", which ends in the worst there is, how much it took to meet no target any more."""
    if profile.name != "stress":
        return worst(verdict.grade for verdict in verdicts) if verdicts else "poor"
    most = limits_of(verdicts)["target"]
    return next((grade for rate, grade in _THROUGHPUT_GRADES if most >= rate), "poor")


def summary(profile: Profile, verdicts: Sequence[PhaseVerdict], seconds: Seconds, began: int, is_broken: bool) -> str:
    """One sentence."""
    grade = overall(profile, verdicts)
    if profile.name == "stress":
        limits = limits_of(verdicts)
        met = f"all targets are met up to {limits['target']:,}/s, acceptable up to {limits['acceptable']:,}/s"
        return f"{grade}: {met}; it {_end(verdicts[-1], is_broken)}."
    if profile.name == "spike":
        return f"{grade}: the worst of three phases; after the spike {_recovery(verdicts, seconds, began)}."
    return f"{grade}: the worst of {len(verdicts[0].rows)} figures." if verdicts else "poor: nothing was answered."


def _end(last: PhaseVerdict, is_broken: bool) -> str:
    if not is_broken:
        return f"was stopped at {last.phase.rate:,}/s before it broke"
    return f"broke at {last.phase.rate:,}/s ({last.answers.failed_share:.1%} failed, p95 {last.answers.p95:,.0f} ms)"


def _recovery(verdicts: Sequence[PhaseVerdict], seconds: Seconds, began: int) -> str:
    ended = next((one.phase.end for one in verdicts if one.phase.name == "spike"), None)
    recovered = None if ended is None else seconds_to_recover(seconds, began + ended)
    if recovered is None:
        return "p95 did not come back below its target"
    return f"p95 was back below its target within {recovered + 1} s"


def tables(profile: Profile, verdicts: Sequence[PhaseVerdict]) -> Iterator[str]:
    """Lines of Markdown: figures against the targets; of "stress" one line for each step."""
    if profile.name == "stress":
        yield "| asked | good answers | p50 ms | p95 ms | p99 ms | errors | grade |"
        yield "|---|---|---|---|---|---|---|"
        for one in verdicts:
            answers = one.answers
            figures = f"{answers.p50:.1f} | {answers.p95:.1f} | {answers.p99:.1f} | {answers.failed_share:.2%}"
            yield f"| {one.phase.rate:,}/s | {one.good_rate:,.0f}/s | {figures} | {one.grade} |"
        return
    yield "| phase | figure | measured | target | acceptable | grade |"
    yield "|---|---|---|---|---|---|"
    for one in verdicts:
        for row in one.rows:
            figures = f"{row.measured} | {row.target} | {row.acceptable} | {row.grade}"
            yield f"| {one.phase.name} | {row.metric} | {figures} |"


def failures_of(verdicts: Sequence[PhaseVerdict]) -> str:
    """What was wrong, and how often."""
    counted = sum((Counter(one.answers.failures) for one in verdicts), Counter[str]())
    return ", ".join(f"{count:,} × {name}" for name, count in counted.most_common(5)) or "none"
