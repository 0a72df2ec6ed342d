"""What every format shares: gzip, encodings, detection, progress."""

import gzip
from pathlib import Path

import pytest

from annotation.formats import FORMATS, read_file, write_documents
from annotation.formats.sources import open_source
from ner.errors import InvalidInput, MalformedFile, NotFound
from tests.annotation.files import a_file, read_all

GMB = "Sentence #,Word,POS,Tag\nSentence: 1,a,X,O\n"
CONLL = "a\tO\nb\tB-x\n\n"
JSONL = '{"text": "a"}\n'
CSV = "text,start,end,label\nAda,0,3,per\n"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (GMB, "x.csv", "gmb"),
        (GMB, "x.txt", "gmb"),
        (CONLL, "x.csv", "conll"),
        (CONLL, "x", "conll"),
        ("a\tO\nb\nc\tO\n", "x.txt", "conll"),
        (JSONL, "x.csv", "jsonl"),
        ("\n" + JSONL, "x.txt", "jsonl"),
        (CSV, "x.txt", "csv"),
        ('"text","start","end","label"\n', "x.txt", "csv"),
        ("text\nHello\n", "x.csv", "csv"),
        ("text\nHello\n", "x.csv.gz", "csv"),
        ("text\nHello\n", "x.txt", "text"),
        ("[1, 2]\n", "x.json", "jsonl"),
        ("What is this?\nThat is O\nA line, and more.\n", "x.txt", "text"),
        ("a b\nc d\n", "x.conll", "conll"),
        ("a b\nc d\n", "X.BIO", "conll"),
    ],
)
def test_the_format_is_detected_by_content_and_then_by_name(
    tmp_path: Path, content: str, name: str, expected: str
) -> None:
    data = gzip.compress(content.encode(), mtime=0) if name.endswith(".gz") else content
    assert read_file(a_file(tmp_path, data, "uploaded"), filename=name).format == expected


def test_every_format_is_in_the_table() -> None:
    assert set(FORMATS) == {
        *("gmb", "conll", "jsonl", "csv", "text", "spacy", "doccano", "label-studio", "prodigy", "huggingface"),
        *("brat", "webanno", "xmi", "bioc"),
    }


def test_an_unknown_format_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"choose one of auto, gmb, prodigy, .*, jsonl, csv, conll, text"):
        read_file(a_file(tmp_path, "x"), "xlsx")


@pytest.mark.parametrize("name", ["conll", "jsonl", "text"])
def test_a_byte_order_mark_is_removed_and_noted(tmp_path: Path, name: str) -> None:
    content = {"conll": CONLL, "jsonl": JSONL, "text": "a b\n"}[name]
    (document,), notes = read_all(a_file(tmp_path, b"\xef\xbb\xbf" + content.encode()), name)
    assert document.text.startswith("a")
    assert "Read as UTF-8; its byte-order mark was removed." in notes


def test_a_byte_order_mark_stays_when_it_is_not_the_first_character(tmp_path: Path) -> None:
    documents, _ = read_all(a_file(tmp_path, "a\n\ufeffb\n"))
    assert [document.text for document in documents] == ["a", "\ufeffb"]


def test_cp1252_is_noted_with_the_first_line(tmp_path: Path) -> None:
    documents, notes = read_all(a_file(tmp_path, b"plain\n\x93caf\xe9\x94 \x80 5\n"))
    assert documents[1].text == "\u201ccaf\u00e9\u201d \u20ac 5"
    assert notes[0] == "Line 2 is not UTF-8, so the file was read as cp1252 (Windows Western)."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty"),
        (gzip.compress(b"", mtime=0), "The file is empty"),
        (gzip.compress(b"a long enough text " * 9, mtime=0)[:-9], "damaged or cut short"),
        (gzip.compress(b"text", mtime=0)[:-8] + b"12345678", "damaged or cut short"),
        (b"\x1f\x8bnothing", "damaged or cut short"),
        (b"PK\x03\x04rest", "zip archive"),
        ("Ada".encode("utf-16"), "UTF-16"),
        (b"%PDF-1.7", "a PDF"),
        (b"one\ntwo \x81\n", "^Line 2: byte 0x81 is neither UTF-8 nor cp1252"),
        ("café naïve Zürich\n".encode() + b"bad \xff line\n", "^Line 2: the bytes are not UTF-8"),
        (b"\xef\xbb\xbfone\ntwo\n\xe9\n", "^Line 3: the bytes are not UTF-8"),
    ],
)
def test_a_file_is_refused_in_one_sentence_when_it_is_no_text(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(MalformedFile, match=sentence):
        read_all(a_file(tmp_path, content))


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_file(tmp_path / "nothing.txt")


def test_a_character_is_whole_when_it_lies_across_two_chunks(tmp_path: Path) -> None:
    text = "a" * ((1 << 20) - 1) + "é" + "b"
    source = open_source(a_file(tmp_path, text))
    assert (source.encoding, source.notes) == ("utf-8", [])
    assert [line for _, line in source.lines()] == [text]


def test_every_line_that_is_not_blank_is_a_document_when_the_file_is_plain_text(tmp_path: Path) -> None:
    documents, notes = read_all(a_file(tmp_path, " One. \r\n\r\n\t\nTwo\u2028lines\u0085here.\n"))
    assert [(document.text, document.line) for document in documents] == [
        (" One. ", 1),
        ("Two\u2028lines\u0085here.", 4),
    ]
    assert not any(document.is_labelled for document in documents)
    assert notes == ["Every line that is not blank became one unlabelled document."]


@pytest.mark.parametrize(
    ("name", "row"),
    [("conll", "a\tO\n\n"), ("jsonl", JSONL), ("text", "a\n"), ("csv", "Ada,0,3,per\n"), ("gmb", ",a,X,O\n")],
)
def test_progress_runs_from_bytes_read_to_bytes_in_all(tmp_path: Path, name: str, row: str) -> None:
    head = {"csv": "text,start,end,label\n", "gmb": GMB}.get(name, "")
    path = a_file(tmp_path, head + row * 12_000)
    seen: list[tuple[int, int]] = []
    for _ in read_file(path, name, progress=lambda done, total: seen.append((done, total))).documents:
        pass
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_writing_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as stream, pytest.raises(InvalidInput):
        write_documents([], "xlsx", stream)
