from pathlib import Path

import pytest

from annotation.formats import read_file
from ner.errors import MalformedFile
from tests.annotation.files import Marked, a_file, marked, read_all


@pytest.mark.parametrize(
    ("rows", "scheme", "expected"),
    [
        ("Ada I-PER|Lovelace I-PER|met O|Bo I-PER|Cy B-PER|in O|Rome I-LOC", "IOB1", "Ada Lovelace,Bo,Cy,Rome"),
        ("Ada B-PER|Lovelace I-PER|met O|Bo B-PER|Cy B-PER|in O|Rome B-LOC", "IOB2", "Ada Lovelace,Bo,Cy,Rome"),
        ("Ada I-PER|Lovelace E-PER|met O|Bo E-PER|Cy E-PER|in O|Rome E-LOC", "IOE2", "Ada Lovelace,Bo,Cy,Rome"),
        ("Ada B-PER|Lovelace L-PER|met O|Bo U-PER|Cy U-PER|in O|Rome U-LOC", "BILOU", "Ada Lovelace,Bo,Cy,Rome"),
        ("Ada B-PER|Lovelace E-PER|met O|Bo S-PER|Cy S-PER|in O|Rome S-LOC", "BMES", "Ada Lovelace,Bo,Cy,Rome"),
        ("Ada B-PER|K. M-PER|Lovelace E-PER|met O|Bo S-PER", "BMES", "Ada K. Lovelace,Bo"),
        ("Ada B-PER|K. I-PER|Lovelace E-PER|met O|Bo S-PER", "BMES", "Ada K. Lovelace,Bo"),
        ("Ada B-PER|K. I-PER|Lovelace E-PER|met O", "BMES", "Ada K. Lovelace"),
    ],
)
@pytest.mark.parametrize("separator", ["\t", " "])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_the_scheme_is_detected_and_noted(
    tmp_path: Path, rows: str, scheme: str, expected: str, separator: str, line_break: str
) -> None:
    content = rows.replace(" ", separator).replace("|", line_break) + line_break
    (document,), notes = read_all(a_file(tmp_path, content))
    assert [surface for surface, _ in marked(document)] == expected.split(",")
    assert any(note.endswith(f"tags in {scheme}.") for note in notes)
    assert document.meta == {"joined_by": " "}


ROWS: list[tuple[str, str, list[str], list[Marked]]] = [
    (
        "four columns",
        "-DOCSTART- -X- O O\n\nU.N. NNP I-NP I-ORG\nofficial NN I-NP O\n\n-DOCSTART- -X- O O\n\nIraq NNP I-NP I-LOC\n",
        ["U.N. official", "Iraq"],
        [[("U.N.", "ORG")], [("Iraq", "LOC")]],
    ),
    ("a blank line holds a tab", "a\tO\n\t\nRome\tB-LOC\n \n\n\n", ["a", "Rome"], [[], [("Rome", "LOC")]]),
    ("no line break at the end", "a\tO\nRome\tB-LOC", ["a Rome"], [[("Rome", "LOC")]]),
    ("# is a token", "#\tB-ORG\nUnited\tI-ORG\n\n#go\tO\n", ["# United", "#go"], [[("# United", "ORG")], []]),
    (
        "# begins a comment",
        "# id = 1\na\tO\n#\tO\n\n#\thttp://x.y\t[2009]\t\nRome\tB-LOC\n",
        ["a #", "Rome"],
        [[], [("Rome", "LOC")]],
    ),
    (
        "numbered tokens with a nested layer",
        '#\tsource\t[2009]\n1\tKap\tB-LOC\tO\n2\tStadt\tI-LOC\tB-ORG\n\n#\tsource\t[2009]\n1\t"\tO\tO\t\n2\tx\tO\tO\n',
        ["Kap Stadt", '" x'],
        [[("Kap Stadt", "LOC")], []],
    ),
    ("numbered tokens", "1\tKap\tNN\tB-LOC\n2\tx\tXX\tO\n\n1\ty\tNN\tO\n", ["Kap x", "y"], [[("Kap", "LOC")], []]),
    (
        "characters",
        "高 B-NAME\n勇 E-NAME\n： O\n男 O\n\n# O\n中 B-CONT\n国 M-CONT\n籍 E-CONT\n",
        ["高勇：男", "#中国籍"],
        [[("高勇", "NAME")], [("中国籍", "CONT")]],
    ),
    (
        "characters with positions",
        "科0\tB-ORG.NAM\n技1\tI-ORG.NAM\n10\tO\n21\tO\n全0\tO\n方1\tO\n\n#0\tO\n文0\tO\n章1\tO\n",
        ["科技12全方", "#文章"],
        [[("科技", "ORG.NAM")], []],
    ),
    (
        "characters with two-digit positions",
        "".join(f"{sign}{place}\tO\n" for place, sign in enumerate("一二三四五六七八九十百千")) + "10\tO\n",
        ["一二三四五六七八九十百千1"],
        [[]],
    ),
    (
        "odd tokens",
        "\u0085\tO\nA\u200b\tB-PER\n\u2028\tO\n\ufeff\tO\n",
        ["\u0085 A\u200b \u2028 \ufeff"],
        [[("A\u200b", "PER")]],
    ),
    ("labels with dashes", "x\tB-creative-work\ny\tI-creative-work\n", ["x y"], [[("x y", "creative-work")]]),
    ("a token with a blank", "New York\tB-LOC\nis\tO\n", ["New York is"], [[("New York", "LOC")]]),
    ("words like None", 'None\tO\nnull\tO\nNA\tO\n"\tO\n', ['None null NA "'], [[]]),
]


@pytest.mark.parametrize(("content", "texts", "spans"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rows_become_texts_with_exact_spans(
    tmp_path: Path, content: str, texts: list[str], spans: list[Marked]
) -> None:
    documents, _ = read_all(a_file(tmp_path, content), "conll")
    assert [document.text for document in documents] == texts
    assert [marked(document) for document in documents] == spans
    assert read_file(a_file(tmp_path, content)).format == "conll"


def test_the_group_counts_document_starts(tmp_path: Path) -> None:
    documents, _ = read_all(a_file(tmp_path, "-DOCSTART- O\n\na O\n\nb O\n\n-DOCSTART- O\n\nc O\n"), "conll")
    assert [document.meta["group"] for document in documents] == [1, 1, 2]


def test_the_line_of_a_document_is_its_first_row(tmp_path: Path) -> None:
    documents, _ = read_all(a_file(tmp_path, "\n# note\na O\nb O\n\n\nc O\n"), "conll")
    assert [document.line for document in documents] == [3, 7]


def test_orphans_start_spans_and_are_noted_when_the_scheme_is_iob2(tmp_path: Path) -> None:
    content = "a\tB-X\nb\tI-X\nc\tI-Y\nd\tO\n\ne\tI-X\nf\tB-X\n\ng\tB-X\n"
    documents, notes = read_all(a_file(tmp_path, content))
    assert [marked(document) for document in documents] == [
        [("a b", "X"), ("c", "Y")],
        [("e", "X"), ("f", "X")],
        [("g", "X")],
    ]
    assert "Inside tags that continue nothing: 2, the first at line 3; each was read as the start of a span." in notes


def test_a_span_cut_by_a_sentence_break_counts_once_when_the_scheme_is_bmes(tmp_path: Path) -> None:
    documents, notes = read_all(a_file(tmp_path, "圣 B-ORG\n。 M-ORG\n\n彼 M-ORG\n得 E-ORG\n院 S-ORG\n"))
    assert [marked(document) for document in documents] == [[("圣。", "ORG")], [("院", "ORG")]]
    assert any(note.startswith("Inside tags that continue nothing: 1, the first at line 4") for note in notes)
    assert any(note.startswith("Spans never closed: 1, the first at line 2") for note in notes)


def test_a_trailing_digit_stays_when_the_words_are_not_cjk(tmp_path: Path) -> None:
    (document,), _ = read_all(a_file(tmp_path, "A0\tO\nB1\tB-X\n"))
    assert document.text == "A0 B1"


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        ("a\tO\nb\tO\nc\n\nd\tO\n", 3, "the row has 1 column where most rows have 2"),
        ("a\tO\nb\tO\textra\nc\tO\n", 2, "the row has 3 columns where most rows have 2"),
        ("a\tO\nb\tX\nc\tO\n", 2, "'X' is not a tag"),
        ("a\tO\nb\tZ-per\nc\tO\n", 2, "'Z-per' is not a tag"),
        ("a\tO\nb\tB-\nc\tO\n", 2, "'B-' is not a tag"),
        ("a\tO\n\tO\nc\tO\n", 2, "the token is empty"),
        ("a\tO\n#\nc\tO\n", 2, "the row has 1 column"),
        ("a\tO\r\nb\r\nc\tO\r\n", 2, "the row has 1 column"),
        ("a\tO\nb\x00\tO\n\n", 1, "NUL"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tmp_path: Path, content: str, line: int, sentence: str) -> None:
    with pytest.raises(MalformedFile, match=sentence) as caught:
        read_all(a_file(tmp_path, content), "conll")
    assert caught.value.line == line
    assert caught.value.message.startswith(f"Line {line}: ")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a B-X\nb L-X\nc S-X\n", "belong to no one scheme"),
        ("one\ntwo\n", "expected a token and its tag"),
        ("\n\n", "blank lines only"),
        ("-DOCSTART- O\n\n", "blank lines only"),
    ],
)
def test_a_file_is_refused_when_it_holds_no_tagged_rows(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(MalformedFile, match=sentence):
        read_all(a_file(tmp_path, content), "conll")
