"""The page of the drift benchmark: docs/benchmarks-drift.md."""

from pathlib import Path
from typing import Any

from ner.shares import wilson_interval

_COLUMNS = ("any", "foreign_texts", "unknown_words", "vocabulary_overlap", "text_length")

_TOKENS_OF_A_SENTENCE = 21.9  # of GMB, on average

_LIMITS = """
## What this does not show

- A row bounds its rate by the interval in brackets only: 400 draws without an alarm bound it by 1.0 %.
- The smoothing and the threshold of the classifier were chosen on mixtures of GMB and CrossNER like these; WNUT 17 and
  German had no part in the choice of the smoothing.
- Of more than 20,000 answers a day an even selection of at most 20,000 is read; the largest days are read like that
  here. They are drawn from some 22,000 texts, so most of their texts come several times. Reading from the database
  is not timed.
- A profile is kept for a version's life: an unlucky draw of its documents would repeat its false alarm every day. The
  rates are averages over twenty profiles, and twenty are few to find an unlucky one among."""


def write_page(path: Path, figures: dict[str, Any]) -> None:
    """Write Markdown."""
    head = "| any measure | foreign texts | unknown words | vocabulary overlap | text length |"
    rule = "|---" * (len(_COLUMNS) + 2) + "|"
    volumes = [_row(f"{volume:,} ({_tokens(volume)})", found) for volume, found in figures["false"].items()]
    mixtures = [_row(f"{share:.0%} {name}", found) for (name, share), found in figures["noticed"].items()]
    seconds = [f"| {name} | {taken:.2f} |" for name, taken in figures["seconds"].items()]
    lines = [
        _opening(figures),
        "## False alarms by volume\n",
        "Nothing changed: traffic is GMB, as the profile is. Reach: at most 1 % of days. 95 % interval in brackets.\n",
        f"| documents a day (tokens) | draws {head}",
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


def _opening(figures: dict[str, Any]) -> str:
    return f"""# The drift verdict, measured

Written by `make bench-drift CORPORA=folder`: {figures["rounds"]} draws for each row. The words of 20,000 sentences of
GMB are known; of the others 6,000 are profiled and traffic is drawn, with copies, from the rest, in
{figures["divisions"]} divisions that take turns. No model answers, so only the measures that follow from words alone
are judged; entity mix and confidence stay out.
"""


def _tokens(documents: int) -> str:
    tokens = documents * _TOKENS_OF_A_SENTENCE
    return f"{tokens / 1e6:.1f} million" if tokens >= 1e6 else f"{tokens:,.0f}"


def _row(name: str, found: dict[str, Any]) -> str:
    draws, alarms = found["draws"], found["alarms"]
    low, high = wilson_interval(alarms["any"], draws)
    shares = [f"{alarms.get(column, 0) / draws:.1%}" for column in _COLUMNS]
    shares[0] += f" ({low:.1%}–{high:.1%})"
    return f"| {name} | {draws} | " + " | ".join(shares) + " |"
