"""Spans and token tags: the only file that knows tag letters.

A tagging scheme is a table: for each letter, whether it may open, continue and close an entity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

TokenSpan = tuple[int, int, str]
"""Half-open range of token indices, and a label."""

SchemeName = Literal["IOB1", "IOB2", "IOE2", "BILOU", "BMES"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """The letters of a tagging scheme by the role they play."""

    name: SchemeName
    begin: str
    inside: str
    end: str
    single: str

    @property
    def letters(self) -> frozenset[str]:
        """Every letter but O."""
        return frozenset(self.begin + self.inside + self.end + self.single)


SCHEMES: dict[SchemeName, Scheme] = {
    "IOB1": Scheme("IOB1", begin="B", inside="I", end="", single=""),
    "IOB2": Scheme("IOB2", begin="B", inside="I", end="", single=""),
    "IOE2": Scheme("IOE2", begin="", inside="I", end="E", single=""),
    "BILOU": Scheme("BILOU", begin="B", inside="I", end="L", single="U"),
    "BMES": Scheme("BMES", begin="B", inside="M", end="E", single="S"),
}


def split_tag(tag: str) -> tuple[str, str]:
    """`"B-geo"` to `("B", "geo")`; `"O"` to `("O", "")`. Labels may hold dashes.

    Raises ValueError for anything else.
    """
    if tag == "O":
        return "O", ""
    letter, dash, label = tag.partition("-")
    if not dash or len(letter) != 1 or not label:
        raise ValueError(f"'{tag}' is not a tag: expected O, or a letter, a dash and a label.")
    return letter, label


def detect_scheme(sequences: Iterable[Sequence[str]]) -> SchemeName:
    """The scheme that the tag sequences are written in.

    E, S and M give BMES (or IOE2 where only I and E occur), L and U give BILOU. With B and I alone it is IOB2 as
    soon as most spans open with B, else IOB1, where B stands only between two touching spans of one label.

    Raises ValueError when letters of different schemes are mixed.
    """
    letters: set[str] = set()
    opened_by = {"B": 0, "I": 0}
    for sequence in sequences:
        previous = ""
        for tag in sequence:
            letter, label = split_tag(tag)
            if letter != "O":
                letters.add(letter)
                if letter == "B" or (letter == "I" and label != previous):
                    opened_by[letter] += 1
            previous = label
    if letters & {"M", "S"}:
        name: SchemeName = "BMES"
    elif letters & {"L", "U"}:
        name = "BILOU"
    elif "E" in letters:
        name = "BMES" if "B" in letters else "IOE2"
    else:
        name = "IOB1" if opened_by["I"] > opened_by["B"] else "IOB2"
    strange = letters - SCHEMES[name].letters - ({"I"} if name == "BMES" else set())
    if strange:
        raise ValueError(
            f"The tag letters {', '.join(sorted(letters))} belong to no one scheme ({', '.join(SCHEMES)})."
        )
    return name


def decode_tags(tags: Sequence[str], scheme: SchemeName = "IOB2") -> list[TokenSpan]:
    """Tag sequence to token spans. Orphans are repaired the conlleval way: an inside tag that continues
    nothing, or another label, opens a span of its own; a span ends where the next begins or at O.
    """
    table = SCHEMES[scheme]
    closing = table.end + table.single
    spans: list[TokenSpan] = []
    start, open_label = 0, ""
    for index, tag in enumerate(tags):
        letter, label = split_tag(tag)
        opens = letter != "O" and (letter in table.begin + table.single or label != open_label)
        if open_label and (letter == "O" or opens):
            spans.append((start, index, open_label))
            open_label = ""
        if opens:
            start, open_label = index, label
        if open_label and letter in closing:
            spans.append((start, index + 1, open_label))
            open_label = ""
    if open_label:
        spans.append((start, len(tags), open_label))
    return spans


def encode_tags(length: int, spans: Sequence[TokenSpan], scheme: SchemeName = "IOB2") -> list[str]:
    """Token spans (flat, within `length`) to tags. Raises ValueError where two spans share a token."""
    tags = ["O"] * length
    previous_end, previous_label = -1, ""
    for first, end, label in sorted(spans):
        if first < previous_end:
            raise ValueError(f"Two spans share token {first}.")
        touching = first == previous_end and label == previous_label
        letters = _letters(SCHEMES[scheme], end - first, touching)
        tags[first:end] = [f"{letter}-{label}" for letter in letters]
        previous_end, previous_label = end, label
    return tags


def _letters(scheme: Scheme, length: int, touching: bool) -> str:
    if scheme.name == "IOB1":
        return ("B" if touching else "I") + "I" * (length - 1)
    if length == 1 and scheme.single:
        return scheme.single
    head = scheme.begin
    tail = scheme.end
    return head + scheme.inside * (length - len(head) - len(tail)) + tail


def tag_names(labels: Sequence[str]) -> list[str]:
    """The IOB2 tag set in the order that models use: O, then B and I of each label."""
    return ["O", *(f"{letter}-{label}" for label in labels for letter in "BI")]
