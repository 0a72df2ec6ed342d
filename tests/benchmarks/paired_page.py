"""The page of the paired benchmark: docs/benchmarks-paired.md."""

from pathlib import Path
from typing import Any

_KEPT = "<!-- what follows is written by hand -->\n"


def write_page(path: Path, figures: dict[str, Any]) -> None:
    """Write Markdown; what stands below the mark is kept."""
    kept = path.read_text(encoding="utf-8").partition(_KEPT)[2] if path.exists() else ""
    path.write_text("\n".join([_opening(figures), _plans(figures), _reached(figures), _KEPT]) + kept, encoding="utf-8")


def _opening(figures: dict[str, Any]) -> str:
    stronger, weaker = (f"{count:,}" for count in figures["sentences"].values())
    return f"""# The paired verdict on F1, measured

Written by `make bench-paired GMB=file`: {figures["rounds"]:,} rounds for each row. Two versions (small `bilstm_crf.v1`)
were trained on {stronger} and {weaker} sentences of GMB and answered {figures["held_out"]:,} others: F1
{figures["f1"][0]:.3f} and {figures["f1"][1]:.3f}; they differ on {figures["differs"]:.1%} of the sentences. Canaries of
a known drop are made of the two by chance, sentence by sentence. Each round draws 5,000 sentences as shadowed traffic
and labels some of them. Margin: 2 points of F1. Points are hundredths of F1.
"""


def _plans(figures: dict[str, Any]) -> str:
    rows = [
        "| true drop, points | labels | pass | fail | 95 % interval holds the truth | its width | bias |",
        "|---|---|---|---|---|---|---|",
    ]
    for world in figures["worlds"]:
        drop = f"{100 * world['drop']:.1f}"
        for name, plan in world["plans"].items():
            said = f"{plan['passed']:.1%} | {plan['failed']:.1%} | {plan['coverage']:.1%}"
            rows.append(f"| {drop} | {name} | {said} | {100 * plan['width']:.2f} | {100 * plan['bias']:+.3f} |")
        guess = world["estimated"]
        said = f"{guess['passed']:.1%} | {guess['failed']:.1%}"
        rows.append(
            f"| {drop} | none: the versions' own probabilities, 2,000 texts | {said} | | | {100 * guess['bias']:+.3f} |"
        )
    return "\n".join(rows) + "\n"


def _reached(figures: dict[str, Any]) -> str:
    equal, worse = figures["worlds"]
    names = list(equal["plans"])
    whole, first, less = (names[place] for place in range(3))
    coverage = [world["plans"][name]["coverage"] for world in figures["worlds"] for name in names]
    ratio = max(world["plans"][less]["width"] / world["plans"][whole]["width"] for world in figures["worlds"])
    rows = [
        "| figure | reach | measured | |",
        "|---|---|---|---|",
        _row(
            "pass when equal, 500 labels, disagreements first", "≥ 95 %", equal["plans"][first]["passed"], 0.95, up=True
        ),
        _row("pass when 2.5 points worse, the same", "≤ 5 %", worse["plans"][first]["passed"], 0.05, up=False),
        _row("pass when equal, 500 labels at random", "≥ 95 %", equal["plans"][whole]["passed"], 0.95, up=True),
        _row("pass when 2.5 points worse, the same", "≤ 5 %", worse["plans"][whole]["passed"], 0.05, up=False),
        f"| the interval holds the truth, every row above | 93–97 % | {min(coverage):.1%}–{max(coverage):.1%} "
        f"| {_word(min(coverage) >= 0.93 and max(coverage) <= 0.97)} |",
        "| width with 40 % of the labels, disagreements first, to all at random | ≤ 1 × "
        f"| {ratio:.2f} × | {_word(ratio <= 1)} |",
        _row(
            "pass at any of nine looks (100, 150 … 500 labels) when 2.5 points worse",
            "≤ 5 %",
            worse["ever_passed"],
            0.05,
            up=False,
        ),
    ]
    return "\n".join(rows) + "\n"


def _row(name: str, reach: str, value: float, limit: float, *, up: bool) -> str:
    return f"| {name} | {reach} | {value:.1%} | {_word(value >= limit if up else value <= limit)} |"


def _word(is_reached: bool) -> str:
    return "reached" if is_reached else "missed"
