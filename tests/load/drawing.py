"""A run as a picture: what was asked and what came, how long it took, and what failed, over time."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from tests.load.profiles import Profile
from tests.load.seconds import Answers, Seconds
from tests.load.verdicts import P50_MS, P95_MS, P99_MS

_INK, _GRID = "#3b4252", "#d8dee9"
_COLOURS = {"p50": "#2a78b8", "p95": "#b8860b", "p99": "#b03a48"}
_LEAST_MS = 0.5


def draw(path: Path, profile: Profile, seconds: Seconds, began: int) -> None:
    """Write an SVG with a light ground of its own, so that it can be read on dark pages too."""
    moments = np.arange(began, max(seconds) + 1)
    answers = [seconds.between(at, at + 1) for at in moments]
    figure, (rates, latencies) = plt.subplots(2, 1, figsize=(9, 5.2), sharex=True, layout="constrained")
    _rates(rates, profile, moments - began, answers)
    _latencies(latencies, moments - began, answers)
    for axes in (rates, latencies):
        axes.grid(color=_GRID, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=_INK)
        axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=4)
    latencies.set_xlabel("seconds from the beginning", color=_INK)
    # The same figures give the same file.
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _rates(axes: Axes, profile: Profile, elapsed: np.ndarray, answers: list[Answers]) -> None:
    phases = [profile.phase_at(float(at)) for at in elapsed]
    asked = [phase.rate if phase is not None else np.nan for phase in phases]
    axes.step(elapsed, asked, where="post", color=_INK, linewidth=1, linestyle=":", label="asked")
    good = [one.count - one.failed for one in answers]
    axes.plot(elapsed, good, color=_COLOURS["p50"], linewidth=1.2, label="good answers")
    axes.fill_between(elapsed, [one.failed for one in answers], color=_COLOURS["p99"], alpha=0.7, lw=0, label="failed")
    axes.set_ylabel("requests a second", color=_INK)
    axes.set_ylim(0, 1.25 * max([rate for rate in (*asked, *good) if rate == rate], default=1))


def _latencies(axes: Axes, elapsed: np.ndarray, answers: list[Answers]) -> None:
    for name, (target, _) in (("p50", P50_MS), ("p95", P95_MS), ("p99", P99_MS)):
        values = [max(getattr(one, name), _LEAST_MS) if one.count else np.nan for one in answers]
        axes.plot(elapsed, values, color=_COLOURS[name], linewidth=1.1, label=name)
        axes.axhline(target, color=_COLOURS[name], linewidth=0.8, linestyle="--")
    axes.set_yscale("log")
    axes.set_ylabel("milliseconds (dashed: targets)", color=_INK)
    axes.set_ylim(_LEAST_MS, max(2_000, *axes.get_ylim()))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
