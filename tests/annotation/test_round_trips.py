"""What is written is read back, whatever the text: offsets are characters of the text, before and after."""

import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.formats import ReadDocument, WrittenDocument, read_file, write_documents
from ner.documents import EntitySpan
from ner.tokens import Token, tokenize

PIECES = (
    "Ada Lovelace",
    " ",
    "  ",
    "\t",
    "\r\n",
    "\n",
    "\r",
    "\u2028",
    "\u0085",
    "\u00a0",
    "👩‍🚀",
    "🇩🇪",
    "e\u0301",
    "שלום",
    "مرحبا",
    "\u202e",
    "東京都",
    "हिन्दी",
    "ไทย",
    "\u200b",
    "\ufeff",
    "#",
    '"',
    '""',
    ",",
    ";",
    "-DOCSTART-",
    "B-per",
    "O",
    "U.S.",
    "10,000",
    "<b>&amp;",
)
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(PIECES), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
    ),
    min_size=1,
    max_size=12,
).map("".join)
LABELS = st.sampled_from(["per", "geo", "creative-work", "PER.NAM", "Größe", "two words", "B-x"])


@st.composite
def documents(draw: st.DrawFn) -> WrittenDocument:
    """A text with spans anywhere, which may nest, cross and hold blanks."""
    text = draw(TEXTS.filter(bool))
    spans = set()
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        spans.add(EntitySpan(start, draw(st.integers(start + 1, len(text))), draw(LABELS)))
    return WrittenDocument(text, tuple(sorted(spans)))


@st.composite
def tokenized_documents(draw: st.DrawFn) -> WrittenDocument:
    """A text with flat spans of whole tokens."""
    text = draw(TEXTS.filter(tokenize))
    tokens = tokenize(text)
    spans, first = [], 0
    while first < len(tokens):
        end = draw(st.integers(first, len(tokens)))
        if end > first and draw(st.booleans()):
            spans.append(EntitySpan(tokens[first][0], tokens[end - 1][1], draw(LABELS)))
        first = max(end, first + 1)
    return WrittenDocument(text, tuple(spans))


def written_and_read(written: list[WrittenDocument], format_name: str) -> tuple[list[ReadDocument], list[str]]:
    stream = io.BytesIO()
    losses = write_documents(written, format_name, stream)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(stream.getvalue())
        return list(read_file(path, format_name).documents), losses


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
@given(written=st.lists(documents(), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_texts_and_spans_come_back_equal_when_the_format_holds_characters(
    format_name: str, written: list[WrittenDocument]
) -> None:
    read, losses = written_and_read(written, format_name)
    assert [(document.text, sorted(document.spans)) for document in read] == [
        (document.text, sorted(document.spans or ())) for document in written
    ]
    assert losses == []


@pytest.mark.parametrize("format_name", ["conll", "gmb"])
@given(written=st.lists(tokenized_documents(), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_tokens_and_spans_come_back_equal_when_the_format_holds_tokens(
    format_name: str, written: list[WrittenDocument]
) -> None:
    read, losses = written_and_read(written, format_name)
    assert [_tokens_and_surfaces(document) for document in read] == [
        _tokens_and_surfaces(document) for document in written
    ]
    assert not any(loss.startswith("Spans") for loss in losses)


def _tokens_and_surfaces(document: ReadDocument | WrittenDocument) -> tuple[list[str], list[tuple[list[str], str]]]:
    """A text's tokens, and its spans as tokens: what is left of both without the blanks between them."""
    tokens = _tokens(document)
    surfaces = [document.text[start:end] for start, end in tokens]

    def within(span: EntitySpan) -> list[str]:
        return [document.text[start:end] for start, end in tokens if span.start <= start and end <= span.end]

    return surfaces, [(within(span), span.label) for span in sorted(document.spans or ())]


def _tokens(document: ReadDocument | WrittenDocument) -> list[Token]:
    """Of the whole text: a piece of it may be cut otherwise where it stands alone."""
    if "joined_by" not in document.meta:
        return tokenize(document.text)
    joined_by = document.meta["joined_by"]
    places = re.finditer(rf"[^{joined_by}]+" if joined_by else r".", document.text, re.DOTALL)
    return [place.span() for place in places]


@given(written=st.lists(documents(), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_span_is_written_or_counted_as_lost_when_the_format_holds_tokens(written: list[WrittenDocument]) -> None:
    read, losses = written_and_read(written, "conll") if any(tokenize(one.text) for one in written) else ([], [])
    counted = sum(int(loss.split(": ")[1].split(".")[0].split(" ")[0]) for loss in losses if loss.startswith("Spans"))
    lost_whole = sum(len(one.spans or ()) for one in written if not tokenize(one.text))
    assert sum(len(one.spans) for one in read) + counted + lost_whole == sum(len(one.spans or ()) for one in written)


@pytest.mark.parametrize("joined_by", [" ", ""])
def test_tokens_of_the_import_are_written_again_when_the_document_knows_how_they_were_joined(joined_by: str) -> None:
    tokens = ["don't", "U.K.-based", "10,000"] if joined_by else list("科技U.S.")
    written = WrittenDocument(joined_by.join(tokens), (), {"joined_by": joined_by})
    stream = io.BytesIO()
    assert write_documents([written], "conll", stream) == []
    assert [row.split("\t")[0] for row in stream.getvalue().decode().split("\n") if row] == tokens


@pytest.mark.parametrize("joined_by", [" ", "", None, 5, ["x"]])
def test_tokens_are_found_anew_when_the_text_is_not_joined_as_it_says(joined_by: object) -> None:
    written = WrittenDocument("two  blanks\tand a tab", (), {"joined_by": joined_by})
    stream = io.BytesIO()
    write_documents([written], "conll", stream)
    assert [row.split("\t") for row in stream.getvalue().decode().split("\n") if row] == [
        [token, "O"] for token in ("two", "blanks", "and", "a", "tab")
    ]


@pytest.mark.parametrize("format_name", ["conll", "text", "gmb", "jsonl", "csv"])
def test_a_text_keeps_its_first_character_when_that_is_a_byte_order_mark(format_name: str) -> None:
    texts = ["\ufeff", "\ufeffa"]
    read, _ = written_and_read([WrittenDocument(text, ()) for text in texts], format_name)
    assert [document.text.replace(" ", "") for document in read] == texts


def test_groups_come_back_as_document_starts() -> None:
    written = [WrittenDocument("a", (), {"group": group}) for group in (1, 1, 2)]
    read, _ = written_and_read(written, "conll")
    assert [document.meta["group"] for document in read] == [1, 1, 2]


def test_meta_comes_back_when_the_format_is_jsonl() -> None:
    read, _ = written_and_read([WrittenDocument("a", None, {"group": 3, "source": {"page": 1}})], "jsonl")
    assert (read[0].meta, read[0].is_labelled) == ({"group": 3, "source": {"page": 1}}, False)


LOSSES = [
    ("conll", "Acme Corp won", [(0, 4, "org"), (0, 9, "org")], "Spans left out because they overlap another one"),
    ("conll", "Acme Corp", [(0, 2, "org")], "Spans left out because they begin or end inside a token"),
    ("conll", "a  b", [], "Documents whose blanks and line breaks between tokens are not kept: 1."),
    ("conll", "a", None, "Documents without settled spans, left out"),
    ("csv", "a", None, "Documents without settled spans, left out"),
    ("gmb", "a", [], "The column POS is empty: parts of speech are not known."),
    ("text", "a b", [(0, 1, "x")], "Spans that are not in the file, as plain text holds none: 1."),
    ("text", "a\r\nb", [], "Documents whose inner line breaks became blanks: 1."),
]


@pytest.mark.parametrize(("format_name", "text", "spans", "sentence"), LOSSES)
def test_what_a_format_cannot_say_is_reported(
    format_name: str, text: str, spans: list[tuple[int, int, str]] | None, sentence: str
) -> None:
    marked = None if spans is None else tuple(EntitySpan(*span) for span in spans)
    losses = write_documents([WrittenDocument(text, marked)], format_name, io.BytesIO())
    assert len(losses) == 1
    assert losses[0].startswith(sentence)
