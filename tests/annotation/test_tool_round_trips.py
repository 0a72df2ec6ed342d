"""What is written for another tool is read back equal, or what is not is counted."""

import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.formats import ReadDocument, WrittenDocument, read_file, write_documents
from annotation.formats.xml_elements import fit_for_xml
from ner.documents import EntitySpan
from ner.tags import SCHEMES
from ner.tokens import tokenize
from tests.annotation.strategies import documents

MANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SOME = st.lists(documents(), min_size=1, max_size=4)
KEEPS_ALL = ["doccano", "prodigy", "label-studio", "spacy", "huggingface"]


def written_and_read(written: list[WrittenDocument], format_name: str) -> tuple[list[ReadDocument], list[str]]:
    stream = io.BytesIO()
    losses = write_documents(written, format_name, stream)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(stream.getvalue())
        return list(read_file(path, format_name).documents), losses


def settled(document: ReadDocument | WrittenDocument) -> list[EntitySpan] | None:
    is_labelled = document.is_labelled if isinstance(document, ReadDocument) else document.spans is not None
    return sorted(document.spans or ()) if is_labelled else None


def counted(losses: list[str], beginning: str) -> int:
    return sum(
        int(found[1].replace(",", "")) for loss in losses if (found := re.match(beginning + r".*?: ([\d,]+)", loss))
    )


@pytest.mark.parametrize("format_name", KEEPS_ALL)
@given(written=SOME)
@MANY
def test_texts_spans_and_facts_come_back_equal_when_the_format_holds_all(
    format_name: str, written: list[WrittenDocument]
) -> None:
    read, losses = written_and_read(written, format_name)
    assert [(it.text, settled(it), it.meta) for it in read] == [(it.text, settled(it), it.meta) for it in written]
    assert not any("left out" in loss for loss in losses)


@given(written=SOME)
@MANY
def test_texts_and_spans_come_back_equal_when_the_format_is_bioc(written: list[WrittenDocument]) -> None:
    read, losses = written_and_read(written, "bioc")
    assert [(it.text, settled(it), it.meta) for it in read] == [
        (fit_for_xml(it.text)[0], settled(it), it.meta) for it in written
    ]
    assert counted(losses, "Control") == sum(fit_for_xml(it.text)[1] for it in written)


@given(written=SOME)
@MANY
def test_texts_and_spans_come_back_equal_when_the_format_is_xmi(written: list[WrittenDocument]) -> None:
    gold = [it for it in written if it.spans is not None]
    if not gold:
        return
    read, losses = written_and_read(written, "xmi")
    assert [(it.text, settled(it)) for it in read] == [(fit_for_xml(it.text)[0], settled(it)) for it in gold]
    assert counted(losses, "Documents without settled") == len(written) - len(gold)
    assert counted(losses, "Documents whose facts") == sum(bool(it.meta) for it in gold)


@given(written=SOME)
@MANY
def test_texts_and_spans_come_back_but_for_blanks_of_labels_when_the_format_is_brat(
    written: list[WrittenDocument],
) -> None:
    read, losses = written_and_read(written, "brat")
    renamed = [
        None if it.spans is None else sorted({EntitySpan(s.start, s.end, s.label.replace(" ", "_")) for s in it.spans})
        for it in written
    ]
    assert [(it.text, settled(it)) for it in read] == [
        (it.text, spans) for it, spans in zip(written, renamed, strict=True)
    ]
    assert counted(losses, "Spans whose label") == sum(" " in s.label for it in written for s in it.spans or ())


@given(written=SOME)
@MANY
def test_every_span_comes_back_or_is_counted_when_the_format_is_webanno(written: list[WrittenDocument]) -> None:
    gold = [it for it in written if it.spans is not None and tokenize(it.text)]
    if not gold:
        return
    read, losses = written_and_read(written, "webanno")
    assert [it.text for it in read] == [it.text for it in gold]
    moved = 0
    for before, after in zip(gold, read, strict=True):
        trimmed = [_trimmed(before.text, span) for span in before.spans or ()]
        assert sorted(after.spans) == sorted({span for span in trimmed if span})
        moved += sum(span is not None and span != one for span, one in zip(trimmed, before.spans or (), strict=True))
    assert counted(losses, "Spans made shorter") == moved


def _trimmed(text: str, span: EntitySpan) -> EntitySpan | None:
    surface = span.surface(text)
    if not surface.strip():
        return None
    start = span.start + len(surface) - len(surface.lstrip())
    return EntitySpan(start, start + len(surface.strip()), span.label)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_the_same_spans_come_back_whichever_tagging_scheme_is_chosen(scheme: str, tmp_path: Path) -> None:
    text = "Ada Lovelace met Bo Cy in New York City"
    spans = (EntitySpan(0, 12, "per"), EntitySpan(17, 19, "per"), EntitySpan(20, 22, "per"), EntitySpan(26, 39, "geo"))
    with (tmp_path / "x.conll").open("wb") as stream:
        assert write_documents([WrittenDocument(text, spans, {"joined_by": " "})] * 2, "conll", stream, scheme) == []
    opened = read_file(tmp_path / "x.conll")
    assert [(it.text, it.spans) for it in opened.documents] == [(text, spans)] * 2
    assert f"2 columns separated by tab, tags in {scheme}." in opened.notes


@pytest.mark.parametrize("format_name", [*KEEPS_ALL, "bioc", "xmi", "brat", "webanno", "conll", "jsonl", "csv", "gmb"])
def test_the_same_documents_are_the_same_bytes_whenever_they_are_written(format_name: str) -> None:
    written = [WrittenDocument("Ada in 東京都", (EntitySpan(0, 3, "per"), EntitySpan(7, 10, "geo")), {"group": 1})] * 3
    first, second = io.BytesIO(), io.BytesIO()
    write_documents(written, format_name, first)
    write_documents(written, format_name, second)
    assert first.getvalue() == second.getvalue()
