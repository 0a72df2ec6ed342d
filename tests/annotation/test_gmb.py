import gzip
from pathlib import Path

import pytest

from annotation.formats import read_file
from ner.errors import MalformedFile
from tests.annotation.files import a_file, marked, read_all

HEADER = "Sentence #,Word,POS,Tag\r\n"


def test_the_sentence_is_carried_forward(tmp_path: Path) -> None:
    rows = (
        "Sentence: 1,London,NNP,B-geo\r\n,is,VBZ,O\r\n,big,JJ,O\r\n"
        "Sentence: 2,In,IN,O\r\n,New,NNP,B-geo\r\n,York,NNP,I-geo\r\n"
    )
    documents, notes = read_all(a_file(tmp_path, HEADER + rows))
    assert [document.text for document in documents] == ["London is big", "In New York"]
    assert [marked(document) for document in documents] == [[("London", "geo")], [("New York", "geo")]]
    assert [document.line for document in documents] == [2, 5]
    assert documents[1].meta == {"sentence": "Sentence: 2", "joined_by": " "}
    assert notes == []


def test_quoted_words_are_read_as_they_stand(tmp_path: Path) -> None:
    rows = 'Sentence: 1,"""",``,O\r\n,"10,000",CD,O\r\n,",",",",O\r\n,None,NN,B-per\r\n,nan,NN,O\r\n'
    (document,), _ = read_all(a_file(tmp_path, HEADER + rows))
    assert document.text == '" 10,000 , None nan'
    assert marked(document) == [("None", "per")]


def test_cp1252_is_detected_and_noted(tmp_path: Path) -> None:
    content = HEADER.encode() + b"Sentence: 1,It,PRP,O\r\n,\x92s,VBZ,O\r\n,\x85,:,O\r\n,caf\xe9,NN,O\r\n,\x96,:,O\r\n"
    (document,), notes = read_all(a_file(tmp_path, gzip.compress(content), "ner.csv.gz"))
    assert document.text == "It \u2019s \u2026 caf\u00e9 \u2013"
    assert notes == ["Line 3 is not UTF-8, so the file was read as cp1252 (Windows Western)."]


def test_repeated_sentence_numbers_are_one_sentence_when_every_row_has_its_number(tmp_path: Path) -> None:
    rows = "Sentence: 1,a,X,O\nSentence: 1,b,X,O\nSentence: 2,c,X,O\n"
    documents, _ = read_all(a_file(tmp_path, HEADER + rows))
    assert [document.text for document in documents] == ["a b", "c"]


def test_columns_are_found_by_name_when_their_order_differs(tmp_path: Path) -> None:
    path = a_file(tmp_path, "Tag,Word,Sentence #\nB-per,Ada,Sentence: 1\nI-per,Lovelace,\n")
    (document,), _ = read_all(path)
    assert marked(document) == [("Ada Lovelace", "per")]
    assert read_file(path).format == "gmb"


def test_orphans_are_noted(tmp_path: Path) -> None:
    (document,), notes = read_all(a_file(tmp_path, HEADER + "Sentence: 1,a,X,I-geo\r\n,b,X,O\r\n"))
    assert marked(document) == [("a", "geo")]
    assert notes == ["Inside tags that continue nothing: 1, the first at line 2; each was read as the start of a span."]


@pytest.mark.parametrize(
    ("rows", "line", "sentence"),
    [
        ("Sentence: 1,a,X,O\r\n,b,X\r\n", 3, "the row has 3 columns where the header has 4"),
        ("Sentence: 1,a,X,O\r\n,b,c,X,O\r\n", 3, "the row has 5 columns where the header has 4"),
        ("Sentence: 1,a,X,O\r\n,,X,O\r\n", 3, "the word is empty"),
        ("Sentence: 1,a,X,O\r\n,b,X,geo\r\n", 3, "'geo' is not a tag"),
        (",a,X,O\r\n", 2, "the first row has no sentence number"),
        ('Sentence: 1,a,X,O\r\n,"b,X,O\r\n,c,X,O\r\n', 3, "the quoting is broken"),
        ('Sentence: 1,a,X,O\r\n,"b"c,X,O\r\n', 3, "the quoting is broken"),
        ("Sentence: 1,a\x00,X,O\r\n", 2, "NUL"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tmp_path: Path, rows: str, line: int, sentence: str) -> None:
    with pytest.raises(MalformedFile, match=sentence) as caught:
        read_all(a_file(tmp_path, HEADER + rows))
    assert caught.value.line == line


def test_a_header_without_the_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match="no column 'word'"):
        read_all(a_file(tmp_path, "Sentence #,Token,Tag\n"), "gmb")
