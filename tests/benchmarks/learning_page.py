"""The section on queue orders of `docs/benchmarks-models.md`, and its plot, from the points that the runs left."""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

from tests.benchmarks.models_page import PAGE

BEGIN, END = "<!-- learning: begin -->", "<!-- learning: end -->"
PICTURE = PAGE.with_name("learning-curve.png")
COSTS = ("sentences", "words", "entities")
"""What a person's work may be counted in."""
_COLOURS = {"queue": "#2a5d8f", "random": "#b5532a", "errors alone": "#3d7a4a", "errors per word": "#7a7a7a"}
Row = dict[str, Any]


def write_section(results: Path) -> None:
    """Replace what stands between the section's marks, and the plot beside the page."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    body = "\n".join([*_table(rows), "", *halves(rows)])
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")
    draw(rows, PICTURE)


def _table(rows: Sequence[Row]) -> list[str]:
    points: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        points[row["order"], row["sentences"]].append(row)
    equal = [f"gain at equal {cost}" for cost in COSTS]
    heads = ["order", "sentences", "words", "entities", "F1 by seed", "F1 (mean)", *equal]
    lines = [_line(heads), "|---" * len(heads) + "|"]
    for (order, sentences), found in sorted(points.items(), key=lambda item: (item[0][1], item[0][0])):
        sizes = [f"{statistics.mean(row[cost] for row in found):,.0f}" for cost in ("words", "entities")]
        scores = [f"{row['f1']:.3f}" for row in sorted(found, key=lambda row: int(row["seed"]))]
        gains = [""] * 3 if order in ("random", "start") else [interval(gains_of(rows, found, cost)) for cost in COSTS]
        mean = f"{statistics.mean(row['f1'] for row in found):.3f}"
        lines.append(_line([order, f"{sentences:,}", *sizes, ", ".join(scores), mean, *gains]))
    return lines


def halves(rows: Sequence[Row]) -> list[str]:
    """1,000 sentences of an order beside 2,000 at random, seed by seed."""
    random = {row["seed"]: row["f1"] for row in rows if (row["order"], row["sentences"]) == ("random", 2000)}
    lines = []
    for order in sorted({row["order"] for row in rows} - {"random", "start"}):
        found = {row["seed"]: row["f1"] for row in rows if (row["order"], row["sentences"]) == (order, 1000)}
        gains = {seed: f1 - random[seed] for seed, f1 in sorted(found.items()) if seed in random}
        if gains:
            told = ", ".join(f"{gain:+.3f} (seed {seed})" for seed, gain in gains.items())
            lines.append(f'1,000 by "{order}" against 2,000 at random: {told}; mean {interval(list(gains.values()))}.')
    return lines


def gains_of(rows: Sequence[Row], found: Sequence[Row], cost: str) -> list[float]:
    """By seed, F1 above the random order's where that has cost as much: between its points on the logarithm of it."""
    gains = []
    for row in found:
        curve = sorted(
            (math.log(one[cost]), one["f1"])
            for one in rows
            if one["seed"] == row["seed"] and one["order"] in ("random", "start")
        )
        costs, scores = zip(*curve, strict=True)
        if costs[0] <= math.log(row[cost]) <= costs[-1]:
            gains.append(row["f1"] - float(np.interp(math.log(row[cost]), costs, scores)))
    return gains


def interval(values: Sequence[float]) -> str:
    """The mean with its Student interval, in words; without an interval for fewer than two values."""
    if len(values) < 2:
        return f"{values[0]:+.3f}" if values else ""
    mean = statistics.mean(values)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def draw(rows: Sequence[Row], target: Path) -> None:
    """Every seed of every order as a line: F1 over sentences, words and entities."""
    figure = Figure(figsize=(10.5, 4.0), dpi=110)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(COSTS), sharey=True)
    for axes, cost in zip(panels, COSTS, strict=True):
        for order, colour in _COLOURS.items():
            seeds = sorted({row["seed"] for row in rows if row["order"] == order})
            for seed in seeds:
                line = sorted(
                    (row[cost], row["f1"]) for row in rows if row["seed"] == seed and row["order"] in (order, "start")
                )
                axes.plot(
                    *zip(*line, strict=True), marker="o", markersize=3, color=colour, label=_named(order, seeds, seed)
                )
        axes.set_xlabel(f"labelled {cost}")
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("strict F1, test part of CoNLL-2003")
    panels[0].legend(title="one line for each seed")
    figure.tight_layout()
    figure.savefig(target)


def _named(order: str, seeds: Sequence[int], seed: int) -> str | None:
    return order if seed == seeds[0] else None


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
