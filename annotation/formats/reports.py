"""What was written into a file, and what its format could not say."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ner.documents import EntitySpan

NO_GOLD = "Documents without settled spans, left out as this format cannot say that a text is unlabelled: {}."
NO_META = "Documents whose facts beside the text (meta) are not kept: {}."
UNFIT_SIGNS = "Control characters that the format cannot hold, written as U+FFFD: {}."
_EXAMPLES = 3


@dataclass(slots=True)
class Report:
    """Documents and entities that reached the file, and losses counted by kind, with a few examples of each.

    A kind is a sentence with `{}` where the count goes; the report stays short on any dataset.
    """

    documents: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    _losses: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def wrote(self, spans: Iterable[EntitySpan]) -> None:
        """Count a document that was written with these spans."""
        self.documents += 1
        self.entities.update(span.label for span in spans)

    def lost(self, kind: str, example: str = "", count: int = 1) -> None:
        """Count one more loss of this kind."""
        self._losses[kind] += count
        if example and len(self._examples[kind]) < _EXAMPLES:
            self._examples[kind].append(example)

    def losses(self) -> list[str]:
        """One sentence per kind, with examples."""
        sentences = []
        for kind, count in self._losses.items():
            examples = "; ".join(self._examples.get(kind, ()))
            sentences.append(kind.format(f"{count:,}") + (f" Such as: {examples}." if examples else ""))
        return sentences


def describe(text: str, span: EntitySpan) -> str:
    """A span as an example in a report."""
    return f"'{span.surface(text)[:40]}' [{span.start}, {span.end}) {span.label}"
