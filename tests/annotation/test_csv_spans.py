from pathlib import Path

import pytest

from ner.errors import MalformedFile
from tests.annotation.files import a_file, marked, read_all


def test_rows_with_the_same_text_are_one_document(tmp_path: Path) -> None:
    content = "text,start,end,label\nAda in Rome,0,3,per\nAda in Rome,7,11,geo\nNobody,,,\n"
    documents, notes = read_all(a_file(tmp_path, content))
    assert [marked(document) for document in documents] == [[("Ada", "per"), ("Rome", "geo")], []]
    assert all(document.is_labelled for document in documents)
    assert notes == ["Rows that follow each other with the same text are one document."]


def test_repeated_texts_stay_apart_when_documents_are_numbered(tmp_path: Path) -> None:
    content = "Document;Text;Start;End;Label\n1;Ada;0;3;per\n2;Ada;;;\n"
    documents, _ = read_all(a_file(tmp_path, content))
    assert [marked(document) for document in documents] == [[("Ada", "per")], []]


def test_texts_alone_are_unlabelled(tmp_path: Path) -> None:
    documents, notes = read_all(a_file(tmp_path, 'id,text\n1,"a, b"\n2,"two\r\nlines"\n', "texts.csv"))
    assert [(document.text, document.is_labelled) for document in documents] == [
        ("a, b", False),
        ("two\r\nlines", False),
    ]
    assert [document.line for document in documents] == [2, 3]
    assert notes == ["Columns that are not read: id."]


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        ("body,start\n", 1, "no column 'text'"),
        ("text,start,end\n", 1, "spans need start, end and label"),
        ("text,start,end,label\nAda,0,3,per\nAda,0,per\n", 3, "the row has 3 columns where the header has 4"),
        ("text,start,end,label\nAda,0,x,per\n", 2, "not whole numbers"),
        ("text,start,end,label\nAda,0,3,\n", 2, "no usable label"),
        ("text,start,end,label\nAda,0,9,per\n", 2, "ends after the text"),
        ("text,start,end,label\nAda,,3,per\n", 2, "not whole numbers"),
        ("text,start,end,label\n,0,3,per\n", 2, "the text is empty"),
        ('text,start,end,label\n"two\nlines",0,3,per\n"open,0,1,x\n', 4, "the quoting is broken"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tmp_path: Path, content: str, line: int, sentence: str) -> None:
    with pytest.raises(MalformedFile, match=sentence) as caught:
        read_all(a_file(tmp_path, content), "csv")
    assert caught.value.line == line
