"""Documents to sentences of words with token spans: what sequence taggers learn from."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from annotation.offers import PartialLabels
from ner.documents import LabelledText, outermost
from ner.tags import TokenSpan
from ner.tokens import align, tokenize, words
from registry.windows import windows


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words, and flat token spans within them. Where single spans were judged, `spans` are the accepted ones, and
    nothing but these and the `rejected` ones is known."""

    words: list[str]
    spans: list[TokenSpan]
    rejected: list[TokenSpan] = field(default_factory=list)


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


def cut_judged(documents: Sequence[PartialLabels], labels: Collection[str]) -> list[Sentence]:
    """The sentences in which something was judged. Spans of other labels, spans that the tokens or the sentence borders
    cut, and of accepted spans that overlap all but the outermost are left out: they stay unknown."""
    sentences = []
    for document in documents:
        accepted = _cut(LabelledText(document.text, tuple(document.accepted)), labels)
        # One by one: rejected spans may overlap as they like.
        tokens = tokenize(document.text)
        aligned, _ = align(tokens, document.rejected)
        for window, sentence in zip(windows(document.text, tokens), accepted, strict=True):
            rejected = _within(aligned, window.core_first, window.core_end, labels)
            sentences.append(replace(sentence, rejected=[one for one in rejected if one not in sentence.spans]))
    return [sentence for sentence in sentences if sentence.spans or sentence.rejected]


def _cut(document: LabelledText, labels: Collection[str]) -> Iterator[Sentence]:
    tokens = tokenize(document.text)
    surfaces = words(document.text, tokens)
    aligned, _ = align(tokens, outermost(document.spans))
    for window in windows(document.text, tokens):
        first, end = window.core_first, window.core_end
        yield Sentence(surfaces[first:end], _within(aligned, first, end, labels))


def _within(aligned: Sequence[TokenSpan], first: int, end: int, labels: Collection[str]) -> list[TokenSpan]:
    return [
        (start - first, stop - first, label)
        for start, stop, label in aligned
        if start >= first and stop <= end and label in labels
    ]
