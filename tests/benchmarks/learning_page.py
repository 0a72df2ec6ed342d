"""The section on queue orders of `docs/benchmarks-models.md`, and its plot, from the points that the runs left."""

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

from tests.benchmarks.models_page import PAGE

BEGIN, END = "<!-- learning: begin -->", "<!-- learning: end -->"
_COLOURS = {"random": "#b5532a", "least sure": "#7a7a7a", "priority": "#2a5d8f"}
Row = dict[str, Any]


def write_section(work: Path) -> None:
    """Replace what stands between the section's marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    body = "\n".join(_table(_rows(work)))
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def _rows(work: Path) -> list[Row]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(work.glob("*.json"))]


def _table(rows: Sequence[Row]) -> list[str]:
    points: dict[tuple[str, int], dict[int, Row]] = defaultdict(dict)
    for row in rows:
        points[row["order"], row["sentences"]][row["seed"]] = row
    lines = [
        "| order | sentences | words (mean) | F1 (mean) | more than random (95 % over seeds) | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for (order, sentences), found in sorted(points.items(), key=lambda item: (item[0][1], item[0][0])):
        words = statistics.mean(row["words"] for row in found.values())
        score = statistics.mean(row["f1"] for row in found.values())
        same = points.get(("random", sentences), {})
        gains = [row["f1"] - same[seed]["f1"] for seed, row in found.items() if seed in same]
        gain = interval(gains) if order not in ("random", "start") else ""
        lines.append(f"| {order} | {sentences:,} | {words:,.0f} | {score:.3f} | {gain} | {len(found)} |")
    return lines


def interval(values: Sequence[float]) -> str:
    """The mean with its Student interval, in words; without an interval for fewer than two values."""
    if len(values) < 2:
        return f"{values[0]:+.3f}" if values else ""
    mean = statistics.mean(values)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def draw(work: Path, target: Path) -> None:
    """Every seed of every order as a line, F1 over labelled sentences."""
    rows = _rows(work)
    figure = Figure(figsize=(7.2, 4.2), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for order, colour in _COLOURS.items():
        for seed in sorted({row["seed"] for row in rows}):
            line = sorted(
                (row["sentences"], row["f1"])
                for row in rows
                if row["seed"] == seed and row["order"] in (order, "start")
            )
            axes.plot(*zip(*line, strict=True), marker="o", color=colour, label=order if seed == 1 else None)
    axes.set_xlabel("labelled sentences")
    axes.set_ylabel("strict F1, 2,000 test sentences of GMB")
    axes.legend()
    figure.tight_layout()
    figure.savefig(target)
