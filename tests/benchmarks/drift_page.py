"""The page of the drift benchmark: docs/benchmarks-drift.md."""

from pathlib import Path
from typing import Any

from ner.shares import wilson_interval

_COLUMNS = ("any", "foreign_texts", "unknown_words", "vocabulary_overlap", "text_length")

_LIMITS = """
## What this does not show

- A row of few draws bounds its rate by the interval in brackets only; the 1 % needs some 400 draws (`--rounds 400`).
- The smoothing and the threshold of the classifier were chosen on mixtures of GMB and CrossNER like these; WNUT 17 and
  German had no part in the choice of the smoothing.
- Of more than 20,000 answers a day an even selection of at most 20,000 is read, so larger days are judged like one of
  that size; days above 10,000 documents (some 220,000 tokens) were not drawn. Reading from the database is not timed.
- A profile is kept for a version's life: one unlucky draw of its documents would repeat its false alarm every day."""


def write_page(path: Path, figures: dict[str, Any]) -> None:
    """Write Markdown."""
    head = "| any measure | foreign texts | unknown words | vocabulary overlap | text length |"
    rule = "|---" * (len(_COLUMNS) + 2) + "|"
    volumes = [_row(f"{volume:,}", found) for volume, found in figures["false"].items()]
    mixtures = [_row(f"{share:.0%} {name}", found) for (name, share), found in figures["noticed"].items()]
    seconds = [f"| {name} | {taken:.2f} |" for name, taken in figures["seconds"].items()]
    lines = [
        _opening(figures["rounds"]),
        "## False alarms by volume\n",
        "Nothing changed: traffic is GMB, as the profile is. Reach: at most 1 % of days. 95 % interval in brackets.\n",
        f"| documents a day | draws {head}",
        rule,
        *volumes,
        "\n## Foreign text noticed in 1,000 documents\n",
        "Reach: at least 80 % at a mixture of 10 %.\n",
        f"| mixture | draws {head}",
        rule,
        *mixtures,
        "\n## Time for 10,000 documents\n",
        f"Fastest of five, load average {figures['load']:.1f} at the time. Reach: 2 s.\n",
        "| what | seconds |",
        "|---|---|",
        *seconds,
        _LIMITS,
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _opening(rounds: int) -> str:
    return f"""# The drift verdict, measured

Written by `make bench-drift CORPORA=folder`: {rounds} draws for each row. The words of 20,000 sentences of GMB are
known, 6,000 others are profiled, traffic is drawn from the rest. No model answers, so only the measures that follow
from words alone are judged; entity mix and confidence stay out. The profile is the same for all draws.
"""


def _row(name: str, found: dict[str, Any]) -> str:
    draws, alarms = found["draws"], found["alarms"]
    low, high = wilson_interval(alarms["any"], draws)
    shares = [f"{alarms.get(column, 0) / draws:.1%}" for column in _COLUMNS]
    shares[0] += f" ({low:.1%}–{high:.1%})"
    return f"| {name} | {draws} | " + " | ".join(shares) + " |"
