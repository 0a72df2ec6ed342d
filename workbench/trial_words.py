"""A canary's trial in words: what each criterion asks, what was measured of it, and what comes next."""

import datetime as dt

from workbench.api_client import Body
from workbench.look import as_moment, duration, percent, plural

STATUS = {
    "running": ("running", "blue"),
    "held": ("a person has to decide", "orange"),
    "promoted": ("promoted", "green"),
    "rolled_back": ("rolled back", "red"),
    "stood_back": ("stopped", "gray"),
}
VERDICTS = {"pass": "green", "fail": "red", "not enough evidence": "gray"}
BREACHES = {
    "roll_back": "rolled back at once",
    "hold": "held for a person to decide",
    "investigate": "investigated, and rolled back if it lasts",
}


def title(criterion: Body) -> str:
    """The name of a criterion at the beginning of a line."""
    return str(criterion["title"][0].upper() + criterion["title"][1:])


def limit(criterion: Body) -> str:
    """What a criterion asks. `latency_p95_ms` asks that 95 % are answered within its limit."""
    name, most, share = criterion["name"], criterion["limit"], criterion["allowed_share"]
    if name == "f1_drop":
        return f"less than {100 * most:g} points"
    if name == "memory_share":
        return f"less than {percent(most, digits=0)}"
    if name == "error_rate":
        return f"at most {_share(most)} of requests fail"
    return f"{_share(1 - share)} of answers within {most:g} ms"


def measured(criterion: Body) -> str:
    """The canary's value, with its interval where there is one."""
    value, low, high = criterion["value"], criterion["low"], criterion["high"]
    if value is None:
        return "–"
    if criterion["name"] == "f1_drop":
        points = (100 * one for one in (value, low, high))
        return "{:+.1f} points ({:+.1f} to {:+.1f})".format(*points).replace("-", "−")
    if low is None:
        return percent(value, digits=0)
    tally = criterion["canary"]
    span = f"({100 * low:.2f} to {percent(high, digits=2)})"
    return f"{percent(value, digits=2)} {span}, {tally['exceeded']:,.0f} of {tally['requests']:,.0f}"


def beside(criterion: Body) -> str:
    """The stable version's share, of what it answered in the same time."""
    tally = criterion["stable"]
    if tally is None or not tally["requests"]:
        return "–"
    return f"{percent(tally['share'], digits=2)}, {tally['exceeded']:,.0f} of {tally['requests']:,.0f}"


def next_of(criterion: Body, *, is_stale: bool = False) -> str:
    """What comes next of a criterion: how much more it takes, or what its breach leads to. `is_stale`: nothing comes in
    at present, or nothing that is counted.
    """
    if criterion["verdict"] == "pass":
        return "–"
    if criterion["verdict"] == "fail":
        return BREACHES[criterion["on_breach"]]
    if criterion["is_shared_outage"]:
        has_control = bool(criterion["stable"] and criterion["stable"]["requests"])
        told = "the stable version is beyond the limit too" if has_control else "nobody answers beside it"
        return f"people are told: {told}"
    more = to_go(criterion)
    return f"{more}, but none come in now" if more and is_stale else more or str(criterion["reason"])


def to_go(criterion: Body) -> str:
    """About how many more requests and how much time settle it; "" where no end is in sight."""
    requests, minutes = criterion["requests_to_go"], criterion["minutes_to_go"]
    if requests is None:
        return ""
    low, high = criterion["requests_to_go_range"]
    span = f"{low:,} to {high:,}" if high is not None else f"{low:,} or many more"
    time = f", about {duration(60 * minutes)}" if minutes is not None else ""
    return f"about {plural(requests, 'request')} to go ({span}){time}"


def bake(policy: Body) -> str:
    """How long a step lasts at least and at most."""
    shortest, longest = (duration(3600 * policy[name]) for name in ("shortest_hours", "longest_hours"))
    return f"{shortest.removesuffix(' 0 min')} to {longest.removesuffix(' 0 min')}"


def place(automatic: Body, now: dt.datetime | None = None) -> str:
    """Where an automatic rollout stands: its step, its share, and how much longer the step bakes."""
    steps, step = automatic["steps_percent"], automatic["step"]
    where = f"Step {step + 1} of {len(steps)} · {steps[step]:g} % of the traffic"
    if automatic["status"] != "running":
        return where
    baked = ((now or dt.datetime.now(dt.UTC)) - as_moment(automatic["step_began_at"])).total_seconds()
    left = 3600 * automatic["shortest_hours"] - baked
    rest = f"bakes for {duration(left)} more" if left > 0 else f"has baked for {duration(baked)}"
    return f"{where} · {rest} ({bake(automatic)} a step)"


def _share(share: float) -> str:
    return f"{round(100 * share, 4):g}\u00a0%"
