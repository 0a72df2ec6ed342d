"""Which tags follow which: enough to count the places where a tagging scheme is broken."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ner.tags import SCHEMES, SchemeName, split_tag


@dataclass(slots=True)
class Transitions:
    """Pairs of neighbouring tags (the border of a sentence counts as O): how often, and where first."""

    seen: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def add(self, tags: Sequence[str], line: int) -> None:
        """Count the pairs of one sentence that begins at `line`, one tag a line."""
        previous = "O"
        for offset, tag in enumerate(tags):
            self._count(previous, tag, line + offset)
            previous = tag
        self._count(previous, "O", line + len(tags) - 1)

    def notes(self, scheme: SchemeName) -> list[str]:
        """Sentences about inside tags that continue nothing and spans that never close."""
        table = SCHEMES[scheme]
        orphans = self._total(_orphans(self, scheme))
        unclosed = self._total(_unclosed(self, scheme))
        notes = []
        if orphans:
            count, line = orphans
            outcome = "left out, as its first half is missing" if table.end else "read as the start of a span"
            notes.append(f"Inside tags that continue nothing: {count:,}, the first at line {line}; each was {outcome}.")
        if unclosed:
            count, line = unclosed
            notes.append(f"Spans never closed: {count:,}, the first at line {line}; they end at their last tag.")
        return notes

    def _count(self, previous: str, tag: str, line: int) -> None:
        count, first = self.seen.get((previous, tag), (0, line))
        self.seen[previous, tag] = count + 1, first

    def _total(self, pairs: Iterator[tuple[str, str]]) -> tuple[int, int] | None:
        found = [self.seen[pair] for pair in pairs]
        return (sum(count for count, _ in found), min(line for _, line in found)) if found else None


def _orphans(transitions: Transitions, scheme: SchemeName) -> Iterator[tuple[str, str]]:
    table = SCHEMES[scheme]
    if not table.begin or scheme == "IOB1":
        return
    for previous, tag in transitions.seen:
        (left, left_label), (right, right_label) = split_tag(previous), split_tag(tag)
        continues = left_label == right_label and left not in table.end + table.single
        if right != "O" and right not in table.begin + table.single and not continues:
            yield previous, tag


def _unclosed(transitions: Transitions, scheme: SchemeName) -> Iterator[tuple[str, str]]:
    table = SCHEMES[scheme]
    if not table.begin or not table.end:
        return
    for previous, tag in transitions.seen:
        (left, left_label), (right, right_label) = split_tag(previous), split_tag(tag)
        continued = left_label == right_label and right not in table.begin + table.single
        if left != "O" and left not in table.end + table.single and not continued:
            yield previous, tag


def without_orphans(tags: Sequence[str], scheme: SchemeName) -> Sequence[str]:
    """The tags with O in place of what continues nothing, where the scheme marks both ends of a span.

    A sentence break inside a span leaves such a piece; counting it as well would count one entity twice. In the
    other schemes a stray inside tag is a common way to write a start, and stays.
    """
    table = SCHEMES[scheme]
    if not (table.begin and table.end):
        return tags
    kept: list[str] = []
    open_label = ""
    for tag in tags:
        letter, label = split_tag(tag)
        is_orphan = letter != "O" and letter not in table.begin + table.single and label != open_label
        open_label = "" if letter == "O" or is_orphan or letter in table.end + table.single else label
        kept.append("O" if is_orphan else tag)
    return kept
