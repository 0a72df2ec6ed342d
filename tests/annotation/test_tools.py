"""Files as other tools write them: a golden file of each, what is refused, and what a hostile file cannot do."""

import io
import json
import zipfile
import zlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from annotation.formats import FORMATS, WrittenDocument, read_file, write_documents
from annotation.imports import import_file
from ner import tables
from ner.database import Database
from ner.documents import EntitySpan
from ner.errors import MalformedFile
from tests.annotation.files import Marked, a_file, marked, read_all

GOLDEN = Path(__file__).parent / "golden"
Expected = list[tuple[str, Marked | None]]
ADA: tuple[str, Marked] = ("🎉 Ada Lovelace lives in London.", [("Ada Lovelace", "PER"), ("London", "LOC")])


def zipped(folder: Path, files: dict[str, bytes | str], name: str = "file.zip") -> Path:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content)
    return folder / name


def golden(name: str, folder: Path) -> Path:
    """A golden file, or a golden folder as the archive that the tool downloads."""
    found = GOLDEN / name
    return found if found.is_file() else zipped(folder, {one.name: one.read_bytes() for one in found.iterdir()})


GOLD: dict[str, tuple[str, str, Expected]] = {
    "doccano": (
        "doccano.jsonl",
        "doccano",
        [
            ("👩‍🚀 Ada Lovelace lives in London.", [("Ada Lovelace", "PER"), ("London", "LOC")]),
            ("Nothing to mark here.", []),
            ("Acme hired Bo.", [("Acme", "ORG"), ("Bo", "PER")]),
        ],
    ),
    "prodigy": (
        "prodigy.jsonl",
        "prodigy",
        [
            ("Ada Lovelace lives in London.", [("Ada Lovelace", "PER"), ("London", "LOC")]),
            ("Apple pie is good.", None),
            ("Nothing to mark here.", []),
            ("Skipped.", None),
        ],
    ),
    "label studio": (
        "label_studio.json",
        "label-studio",
        [
            (ADA[0], [*ADA[1], ("London", "GPE")]),
            ("Skipped by everybody.", None),
            ("Nothing here.", []),
        ],
    ),
    "label studio, short": (
        "label_studio_min.json",
        "label-studio",
        [("Ada lives in London.", [("Ada", "PER"), ("London", "LOC")])],
    ),
    "brat": (
        "brat",
        "brat",
        [
            (
                "Ada Lovelace\nand Bo lives in North and South London.\n",
                [
                    ("Ada Lovelace", "Person"),
                    ("Bo", "Person"),
                    ("North and South London", "Place"),
                    ("South London", "Place"),
                ],
            ),
            ("Nothing to mark.", []),
            ("Waits.", None),
        ],
    ),
    "webanno": (
        "webanno.tsv",
        "webanno",
        [
            (
                "🎉 Ada Lovelace of Kings\\_Lane University lives.",
                [
                    ("Ada Lovelace", "PER"),
                    ("Kings\\_Lane University", "ORG"),
                    ("Kings\\_Lane", "some_place"),
                    ("lives", "VERB"),
                ],
            ),
            ("In Berlin.", [("Berlin", "LOC")]),
        ],
    ),
    "xmi": ("xmi", "xmi", [(ADA[0] + "\n", ADA[1])]),
    "xmi, one file": ("xmi/letter.xmi", "xmi", [(ADA[0] + "\n", ADA[1])]),
    "bioc": (
        "bioc.xml",
        "bioc",
        [
            ("Aspirin & asthma", [("Aspirin", "Chemical"), ("asthma", "Disease")]),
            ("The 🎉 of asthma, mild and severe.", [("asthma", "Disease"), ("asthma, mild", "Disease")]),
        ],
    ),
    "spacy": (
        "docbin.spacy",
        "spacy",
        [
            (
                "Ada Lovelace of Acme Corp  lives in London.",
                [("Ada Lovelace", "PER"), ("Acme Corp", "ORG"), ("London", "LOC"), ("Acme", "BRAND")],
            ),
            ("Nothing here.", []),
            ("Not looked at.", None),
        ],
    ),
    "huggingface, tags": (
        "tagged.parquet",
        "huggingface",
        [
            ("Ada Lovelace lives in London .", [("Ada Lovelace", "PER"), ("London", "LOC")]),
            ("Nothing here .", []),
        ],
    ),
    "huggingface, argilla": (
        "argilla.parquet",
        "huggingface",
        [("🎉 Ada in London.", [("Ada", "PER"), ("London", "LOC")]), ("Waits.", None), ("Drafts only.", None)],
    ),
}


@pytest.mark.parametrize(("name", "format_name", "expected"), GOLD.values(), ids=GOLD)
def test_a_golden_file_is_recognised_and_read_as_its_tool_means_it(
    name: str, format_name: str, expected: Expected, tmp_path: Path
) -> None:
    opened = read_file(golden(name, tmp_path))
    read = [(it.text, marked(it) if it.is_labelled else None) for it in opened.documents]
    assert (opened.format, read) == (format_name, expected)


NOTES = {
    "doccano": "Relations between spans, which are not read: 1.",
    "prodigy": "Tasks that were rejected or ignored became unlabelled documents: 2.",
    "label studio": "Spans whose offsets counted UTF-16 units, put right by the text they cover: 3.",
    "brat": "Spans in several pieces, each read as one span from the first piece to the last: 1.",
    "xmi": "Annotations of other layers, or without a label, which are not read: NamedEntity 1, Mood 1.",
    "bioc": "Annotations in several pieces, each read as one span from the first piece to the last: 1.",
    "spacy": "Span groups that are not read: candidates.",
}


@pytest.mark.parametrize(("name", "note"), NOTES.items(), ids=NOTES)
def test_what_a_golden_file_says_beyond_spans_is_counted(name: str, note: str, tmp_path: Path) -> None:
    opened = read_file(golden(GOLD[name][0], tmp_path))
    list(opened.documents)
    assert note in opened.notes


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in {"text", "jsonl", "csv", "gmb", "conll"}])
def test_what_was_written_is_recognised_without_its_name(name: str, tmp_path: Path) -> None:
    with (tmp_path / "written").open("wb") as stream:
        write_documents([WrittenDocument("Ada in Rome", (EntitySpan(0, 3, "per"),))], name, stream)
    opened = read_file(tmp_path / "written")
    assert (opened.format, [marked(it) for it in opened.documents]) == (name, [[("Ada", "per")]])


BIOC = "<collection><document><id>7</id><passage>{}<text>Ada</text>{}</passage></document></collection>"
LOCATED = '<annotation id="T1"><infon key="type">per</infon><location offset="{}" length="3"/></annotation>'
TSV = "#FORMAT=WebAnno TSV 3.3\n#T_SP=x.NamedEntity|value\n\n#Text=Ada\n{}\n"
XMI = '<x:XMI xmlns:x="http://www.omg.org/XMI" xmlns:c="c" xmlns:n="n">\n{}<c:Sofa x:id="1" sofaString="Ada"/></x:XMI>'
BAD: dict[str, tuple[str, dict[str, bytes | str] | bytes | str, str]] = {
    "doccano span": ("doccano", '{"text": "a"}\n{"text": "Ada", "label": [[0, 9, "x"]]}', "^Line 2: .* ends after"),
    "prodigy spans": ("prodigy", '{"text": "Ada", "spans": "x", "answer": "accept"}', '^Line 1: "spans" is not'),
    "prodigy huge": (
        "prodigy",
        '{"text": "Ada", "spans": [{"start": 0, "end": ' + "9" * 5000 + "}]}",
        "^Line 1: the line cannot be read",
    ),
    "label studio list": ("label-studio", '{"data": {}}', "^Line 1: the file is not a JSON list"),
    "label studio cut": ("label-studio", '[\n{"data": {"text": "a"}},\n{"data": {"te', "^Line 3: the JSON object"),
    "label studio surface": (
        "label-studio",
        '[{"data":{"text":"Ada"},"annotations":[{"result":[{"value":{"start":0,"end":2,"text":"Bo","labels":["x"]}}]}]}]',
        "^Line 1: the span \\[0, 2\\) is said to cover 'Bo'",
    ),
    "label studio text": ("label-studio", '[{"data": {"url": 5}}]', '^Line 1: the task has no string "text"'),
    "label studio comma": ("label-studio", '[{"data": {"text": "a"}} {}]', "^Line 1: a comma is missing"),
    "label studio deep": ("label-studio", "[" + '{"a":' * 100_000, "^Line 1: the JSON object cannot be read"),
    "brat span": (
        "brat",
        {"a.txt": "Ada", "a.ann": "T1\tper 0 3\tAda\nT2\tper 1 9\tx\n"},
        "^a.ann, line 2: .*ends after",
    ),
    "brat surface": ("brat", {"a.txt": "Ada", "a.ann": "T1\tper 0 3\tBob\n"}, "^a.ann, line 1: .*'Bob'"),
    "brat line": ("brat", {"a.txt": "Ada", "a.ann": "per 0 3\n"}, "^a.ann, line 1: the line is no annotation"),
    "brat lonely": ("brat", {"a.ann": ""}, "^a.ann has no .txt beside it"),
    "brat bytes": ("brat", {"a.txt": b"A\n\xff", "a.ann": ""}, "^a.txt, line 2: the bytes are not UTF-8"),
    "brat text": ("brat", "T1\tper 0 3\tAda\n", "a text file; the format brat is a zip archive"),
    "webanno token": ("webanno", TSV.format("1-1\t0-4\tAda\tper\t"), "^Line 5: the token 'Ada' does not stand at 0-4"),
    "webanno columns": ("webanno", TSV.format("1-1\t0-3\tAda\t"), "^Line 5: the row has 3 columns"),
    "webanno head": ("webanno", "#Text=Ada\n", "^Line 1: the file does not begin with"),
    "webanno layer": (
        "webanno",
        {"a.tsv": "#FORMAT=WebAnno TSV 3.3\n#T_CH=x|a|b\n\n#Text=Ada\n1-1\t0-3\tAda\t_\t_\n"},
        "^a.tsv: the file has no layer",
    ),
    "xmi span": (
        "xmi",
        XMI.format('<n:NamedEntity sofa="1" begin="0" end="9" value="x"/>'),
        "^Line 2: the span .0, 9. leaves",
    ),
    "xmi sofa": ("xmi", "<a>\n<b/></a>", "no Sofa element"),
    "xmi broken": ("xmi", {"a.xmi": "<a>\n<b></a>"}, "^a.xmi, line 2: the XML is broken: mismatched tag"),
    "bioc number": (
        "bioc",
        BIOC.format("<offset>0</offset>", LOCATED.format("1" * 30)),
        "^Line 1: document '7', passage 1",
    ),
    "bioc span": ("bioc", BIOC.format("<offset>0</offset>", LOCATED.format("1")), "^Line 1: .*ends after the text"),
    "bioc before": ("bioc", BIOC.format("<offset>5</offset>", LOCATED.format("1")), "begins before its passage"),
    "bioc broken": ("bioc", "<collection>\n<document>", "^Line 2: the XML is broken: no element found"),
    "spacy bytes": ("spacy", zlib.compress(b"\x81\xa1a\x01"), "^The DocBin cannot be read"),
    "spacy cut": ("spacy", zlib.compress(b"a" * 9999)[:-4], "cut short"),
    "spacy text": ("spacy", "Ada", "a text file; the format spacy is a binary file"),
    "huggingface bytes": ("huggingface", b"PAR1nothing", "cannot be read"),
    "huggingface none": ("huggingface", {"a.txt": "Ada"}, "no .arrow and no .parquet"),
    "huggingface arrow": ("huggingface", {"a.arrow": b"\xff\xff\xff\xff\x10\x00"}, "^a.arrow cannot be read"),
    "no format": ("auto", {"a.exe": b"MZ"}, "holds none of the formats"),
}


@pytest.mark.parametrize(("format_name", "content", "sentence"), BAD.values(), ids=BAD)
def test_a_malformed_file_is_one_sentence_with_its_place(
    format_name: str, content: dict[str, bytes | str] | bytes | str, sentence: str, tmp_path: Path
) -> None:
    path = zipped(tmp_path, content) if isinstance(content, dict) else a_file(tmp_path, content)
    with pytest.raises(MalformedFile, match=sentence) as caught:
        read_all(path, format_name)
    assert "\n" not in caught.value.message


def test_nothing_stays_when_the_last_file_of_an_archive_is_malformed(database: Database, tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {}
    for number in range(2_500):
        files |= {f"{number:05}.txt": f"Ada {number}", f"{number:05}.ann": "T1\tper 0 3\tAda\n"}
    path = zipped(tmp_path, files | {"z.txt": "Bo", "z.ann": "T1\tper 0 9\tBo\n"})
    with pytest.raises(MalformedFile, match=r"^z\.ann, line 1"), database.transaction() as connection:
        import_file(connection, path, dataset="news", actor="ada")
    with database.reading() as connection:
        for table in (tables.datasets, tables.documents, tables.revisions):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def bomb(folder: Path) -> Path:
    return zipped(folder, {"a.txt": bytes(100 << 20), "a.ann": ""})


def locked(folder: Path) -> Path:
    path = zipped(folder, {"a.txt": "Ada", "a.ann": ""})
    content = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(sign) + place] |= 1
    path.write_bytes(content)
    return path


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<collection><document><id>&b;</id></document></collection>'
)
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<collection><document>&a;</document></collection>'
OUTSIDE = '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">\n<collection><document>&a;</document></collection>'


@pytest.mark.parametrize(
    ("name", "sentence"), [("../a", "points outside"), ("/a", "points outside"), ("C:\\a", "points outside")]
)
def test_an_archive_is_refused_when_a_file_points_outside_of_it(name: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match=sentence):
        read_all(zipped(tmp_path, {f"{name}.txt": "Ada", f"{name}.ann": ""}), "brat")


def test_an_archive_is_refused_when_it_explodes_or_is_locked_or_cut(tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match="more than is believed of text"):
        read_all(bomb(tmp_path), "brat")
    with pytest.raises(MalformedFile, match="locked with a password"):
        read_all(locked(tmp_path), "brat")
    whole = zipped(tmp_path, {"a.txt": "Ada" * 1000, "a.ann": ""}).read_bytes()
    with pytest.raises(MalformedFile, match="damaged or cut short"):
        read_all(a_file(tmp_path, whole[:-30]), "brat")
    with pytest.raises(MalformedFile, match="damaged"):
        read_all(a_file(tmp_path, whole.replace(whole[40:44], b"\xff\xff\xff\xff", 1)), "brat")


@pytest.mark.parametrize("content", [LAUGHS, FILE, OUTSIDE], ids=["laughs", "file", "outside"])
def test_xml_is_refused_when_it_declares_or_uses_entities(content: str, tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match="entities of its own"):
        read_all(a_file(tmp_path, content), "bioc")


def test_xml_is_refused_when_it_nests_without_end(tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match="nest deeper than 100"):
        read_all(a_file(tmp_path, "<a>" * 100_000), "bioc")


def test_a_docbin_is_refused_when_it_explodes(tmp_path: Path) -> None:
    packer = zlib.compressobj(9)
    piece = bytes(64 << 20)
    content = b"".join(packer.compress(piece) for _ in range(33)) + packer.flush()
    with pytest.raises(MalformedFile, match="unpacks to more than 2 GB"):
        read_all(a_file(tmp_path, content), "spacy")


def test_a_list_of_many_tasks_is_read_piece_by_piece_with_the_lines_of_each(tmp_path: Path) -> None:
    tasks = [{"data": {"text": "x" * (1 + 7 * number % 5_000)}, "annotations": []} for number in range(2_000)]
    documents, _ = read_all(a_file(tmp_path, "[\n" + ",\n".join(json.dumps(task) for task in tasks) + "]"))
    assert [len(document.text) for document in documents] == [len(task["data"]["text"]) for task in tasks]  # type: ignore[call-overload]
    assert [document.line for document in documents] == list(range(2, 2_002))


def test_nothing_is_written_but_valid_files_when_there_is_no_document() -> None:
    for name in FORMATS:
        assert write_documents([], name, io.BytesIO()) in (
            [],
            ["The column POS is empty: parts of speech are not known."],
        )
