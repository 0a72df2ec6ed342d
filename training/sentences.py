"""Documents to sentences of words with token spans: what sequence taggers learn from."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ner.documents import LabelledText, outermost
from ner.tags import TokenSpan
from ner.tokens import align, tokenize, words
from registry.windows import windows


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words, and flat token spans within them."""

    words: list[str]
    spans: list[TokenSpan]


@dataclass(frozen=True, slots=True)
class CutDocuments:
    """The sentences of a part, and how many of its spans they could not take up."""

    sentences: list[Sentence]
    misaligned: int

    @property
    def entities(self) -> int:
        """Spans of the documents, taken up or not."""
        return self.misaligned + sum(len(sentence.spans) for sentence in self.sentences)


def cut_documents(documents: Sequence[LabelledText], labels: Collection[str]) -> CutDocuments:
    """Cut as serving cuts. Of overlapping spans the outermost are kept; spans of other labels are not taken up."""
    sentences = [sentence for document in documents for sentence in _cut(document, labels)]
    wanted = sum(len(outermost(document.spans)) for document in documents)
    return CutDocuments(sentences, wanted - sum(len(sentence.spans) for sentence in sentences))


def _cut(document: LabelledText, labels: Collection[str]) -> Iterator[Sentence]:
    tokens = tokenize(document.text)
    surfaces = words(document.text, tokens)
    aligned, _ = align(tokens, outermost(document.spans))
    for window in windows(document.text, tokens):
        first, end = window.core_first, window.core_end
        spans = [
            (start - first, stop - first, label)
            for start, stop, label in aligned
            if start >= first and stop <= end and label in labels
        ]
        yield Sentence(surfaces[first:end], spans)
