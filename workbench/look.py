"""How things look on every page: one colour per label, entities in a text, and how figures are worded."""

import datetime as dt
import html
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

LABEL_COLOURS: dict[str, str] = {
    "per": "#2f7fd8",
    "geo": "#2e9d63",
    "org": "#d9822b",
    "gpe": "#12a3a8",
    "tim": "#8a63d2",
    "art": "#d6498f",
    "eve": "#d64545",
    "nat": "#8c8a1f",
}
ALIKE = {"person": "per", "loc": "geo", "location": "geo", "date": "tim", "time": "tim", "event": "eve", "misc": "art"}
SPARE_COLOURS = ("#5b6ee1", "#b0632f", "#1f9e8f", "#b04fc4", "#6f9a1e", "#c9506a", "#3a8fb7", "#a5841b")


def label_colour(label: str) -> str:
    """The colour of a label, the same on every page and in every process; mid-tone, for light and dark alike."""
    name = label.lower()
    known = LABEL_COLOURS.get(ALIKE.get(name, name))
    return known or SPARE_COLOURS[zlib.crc32(name.encode()) % len(SPARE_COLOURS)]


def percent(share: float | None, *, digits: int = 1) -> str:
    """A share in [0, 1] as a percentage; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.{digits}f}\u00a0%"


def f1_with_interval(f1: float | None, interval: Sequence[float] | None) -> str:
    """An F1 with its 95 % interval, `0.826 (0.812–0.840)`."""
    if f1 is None:
        return "–"
    return f"{f1:.3f}" if not interval else f"{f1:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def duration(seconds: float | None) -> str:
    """A span of time as a person says it: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def as_moment(value: str | dt.datetime) -> dt.datetime:
    """A moment of the API's JSON, in UTC."""
    moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def ago(value: str | dt.datetime | None, now: dt.datetime | None = None) -> str:
    """How long ago, or how far ahead, a moment is: `5 min ago`, `in 3 h`."""
    if value is None:
        return "–"
    seconds = ((now or dt.datetime.now(dt.UTC)) - as_moment(value)).total_seconds()
    size = abs(seconds)
    if size < 60:
        return "just now" if seconds >= 0 else "in a moment"
    for limit, unit_seconds, unit in ((3600, 60, "min"), (86_400 * 2, 3600, "h"), (float("inf"), 86_400, "days")):
        if size < limit:
            amount = f"{int(size // unit_seconds)} {unit}"
            return f"{amount} ago" if seconds >= 0 else f"in {amount}"
    return "–"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 document`, `12,345 documents`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def difference_in_words(difference: Mapping[str, float] | None, left: str, right: str) -> str:
    """A paired F1 difference (right minus left, with its interval) as a sentence that names what it means."""
    if not difference:
        return "These documents have no settled truth, so neither version can be scored on them."
    amount, low, high = (100 * difference[name] for name in ("difference", "low", "high"))
    span = f"{abs(amount):.1f} points of F1 (95 % interval {_signed(low)} to {_signed(high)})"
    if low > 0:
        return f"{right} is better than {left} by {span}."
    if high < 0:
        return f"{right} is worse than {left} by {span}."
    if amount == 0:
        return f"{right} and {left} score the same on these documents."
    if low <= -100 and high >= 100:
        return (
            f"{right} and {left} differ by {amount:+.1f} points of F1 here; these are too few documents to tell more."
        )
    direction = "ahead of" if amount > 0 else "behind"
    return f"{right} is {direction} {left} by {span}: these documents do not settle which is better."


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def highlighted(text: str, entities: Sequence[Mapping[str, Any]], *, framed: bool = True) -> str:
    """A text with its entities marked, as HTML that is safe whatever the text holds.

    Each entity has `start`, `end`, `label`, and may have `confidence` and `mark` (a class name for differences).
    Spans that overlap an earlier one are left out; they are in the table beside the text.
    """
    pieces, done = [], 0
    for entity in sorted(entities, key=lambda entity: (entity["start"], -entity["end"])):
        if entity["start"] < done:
            continue
        pieces.append(html.escape(text[done : entity["start"]]))
        pieces.append(_marked(text[entity["start"] : entity["end"]], entity))
        done = entity["end"]
    pieces.append(html.escape(text[done:]))
    frame = "ner-text ner-framed" if framed else "ner-text"
    return f'<div class="{frame}" dir="auto">{"".join(pieces)}</div>'


def _marked(surface: str, entity: Mapping[str, Any]) -> str:
    label, confidence = str(entity["label"]), entity.get("confidence")
    shown = "" if confidence is None else f'<span class="ner-sure">{100 * confidence:.0f}</span>'
    title = label if confidence is None else f"{label}, confidence {confidence:.3f}"
    return (
        f'<mark class="ner-entity {html.escape(str(entity.get("mark", "")))}" title="{html.escape(title)}"'
        f' style="--label:{label_colour(label)}">{html.escape(surface)}'
        f'<span class="ner-label">{html.escape(label)}{shown}</span></mark>'
    )


def label_chip(label: str) -> str:
    """A label as a small coloured chip, in HTML."""
    return f'<span class="ner-chip" style="--label:{label_colour(label)}">{html.escape(label)}</span>'


def legend(labels: Sequence[str]) -> str:
    """The chips of several labels in a row, in HTML."""
    return f'<div class="ner-legend">{"".join(label_chip(label) for label in labels)}</div>'
