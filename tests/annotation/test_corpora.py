"""Public corpora against the counts in the README beside them."""

import re
from collections import Counter
from pathlib import Path

import pytest

from annotation.formats import read_file

pytestmark = pytest.mark.corpus

CONLL = {
    "train": (14_041, 203_621, "LOC 7,140; PER 6,600; ORG 6,321; MISC 3,438"),
    "dev": (3_250, 51_362, "PER 1,842; LOC 1,837; ORG 1,341; MISC 922"),
    "test": (3_453, 46_435, "LOC 1,668; ORG 1,661; PER 1,617; MISC 702"),
}
# File, tagging scheme, sentences, tokens, entities per label or in all.
CORPORA: list[tuple[str, str, int, int, str]] = [
    (
        "gmb/ner_dataset.csv.gz",
        "gmb",
        43_163,
        943_725,
        "geo 33,918; tim 18,277; org 18,157; per 15,271; gpe 14,308; art 352; eve 279; nat 188",
    ),
    ("conll2003/eng.train", "IOB1", *CONLL["train"]),
    ("conll2003/eng.testa", "IOB1", *CONLL["dev"]),
    ("conll2003/eng.testb", "IOB1", *CONLL["test"]),
    ("conll2003/train.txt", "IOB2", *CONLL["train"]),
    ("conll2003/dev.txt", "IOB2", *CONLL["dev"]),
    ("conll2003/test.txt", "IOB2", *CONLL["test"]),
    (
        "wnut17/wnut17train.conll",
        "IOB2",
        3_394,
        62_730,
        "person 660; location 548; group 264; corporation 221; product 142; creative-work 140",
    ),
    (
        "wnut17/emerging.dev.conll",
        "IOB2",
        1_009,
        15_733,
        "person 470; product 114; creative-work 105; location 74; group 39; corporation 34",
    ),
    (
        "crossner/music/train.txt",
        "IOB2",
        100,
        3_909,
        "band 125; musicalartist 104; album 91; musicgenre 88; award 69; organisation 36; location 30; country 27; "
        "song 27; misc 22; person 15; event 12; musicalinstrument 2",
    ),
    ("crossner/music/dev.txt", "IOB2", 380, 15_591, "2,679"),
    ("crossner/music/test.txt", "IOB2", 465, 19_605, "3,336"),
    ("crossner/literature/train.txt", "IOB2", 100, 3_782, "541"),
    (
        "crossner/literature/dev.txt",
        "IOB2",
        400,
        14_503,
        "writer 544; book 336; misc 212; person 194; literarygenre 152; country 127; award 124; organisation 115; "
        "location 111; poem 79; magazine 71; event 65",
    ),
    ("crossner/literature/test.txt", "IOB2", 416, 16_157, "2,266"),
    ("crossner/science/train.txt", "IOB2", 200, 7_100, "1,075"),
    ("crossner/science/dev.txt", "IOB2", 450, 16_139, "2,538"),
    (
        "crossner/science/test.txt",
        "IOB2",
        543,
        19_487,
        "misc 520; scientist 471; astronomicalobject 337; organisation 273; person 230; academicjournal 180; "
        "location 170; chemicalcompound 160; protein 156; award 146; university 130; chemicalelement 85; enzyme 80; "
        "discipline 73; event 31; country 27; theory 20",
    ),
    (
        "germeval2014/NER-de-dev.tsv",
        "IOB2",
        2_200,
        41_653,
        "LOC 763; PER 711; ORG 496; OTH 269; LOCderiv 235; ORGpart 91; LOCpart 52; OTHpart 18; PERpart 18; "
        "OTHderiv 16; ORGderiv 3; PERderiv 2",
    ),
    (
        "germeval2014/NER-de-test.tsv",
        "IOB2",
        5_100,
        96_499,
        "LOC 1,706; PER 1,639; ORG 1,150; OTH 697; LOCderiv 561; ORGpart 172; LOCpart 109; PERpart 44; OTHpart 42; "
        "OTHderiv 39; PERderiv 11; ORGderiv 8",
    ),
    (
        "weibo_ner/weiboNER_2nd_conll.train",
        "IOB2",
        1_350,
        73_778,
        "PER.NOM 772; PER.NAM 578; GPE.NAM 205; ORG.NAM 183; LOC.NAM 56; LOC.NOM 51; ORG.NOM 42; GPE.NOM 8",
    ),
    (
        "weibo_ner/weiboNER_2nd_conll.dev",
        "IOB2",
        270,
        14_509,
        "PER.NOM 208; PER.NAM 90; ORG.NAM 47; GPE.NAM 26; LOC.NAM 6; LOC.NOM 6; ORG.NOM 5; GPE.NOM 1",
    ),
    (
        "weibo_ner/weiboNER_2nd_conll.test",
        "IOB2",
        270,
        14_842,
        "PER.NOM 172; PER.NAM 113; GPE.NAM 47; ORG.NAM 39; LOC.NAM 19; ORG.NOM 17; LOC.NOM 9; GPE.NOM 2",
    ),
    (
        "resume_ner/train.char.bmes",
        "BMES",
        3_821,
        124_099,
        "TITLE 6,308; ORG 4,611; NAME 952; EDU 858; PRO 287; CONT 260; RACE 115; LOC 47",
    ),
    (
        "resume_ner/dev.char.bmes",
        "BMES",
        463,
        13_890,
        "TITLE 690; ORG 523; NAME 110; EDU 106; CONT 33; PRO 18; RACE 15; LOC 2",
    ),
    (
        "resume_ner/test.char.bmes",
        "BMES",
        477,
        15_100,
        "TITLE 772; ORG 553; EDU 112; NAME 112; PRO 33; CONT 28; RACE 14; LOC 6",
    ),
    ("bc5cdr/train.tsv", "IOB2", 4_560, 118_170, "Chemical 5,203; Disease 4,182"),
    ("bc5cdr/devel.tsv", "IOB2", 4_581, 117_453, "Chemical 5,347; Disease 4,246"),
    ("bc5cdr/test.tsv", "IOB2", 4_797, 124_750, "Chemical 5,385; Disease 4,424"),
    ("ncbi_disease/train.tsv", "IOB2", 5_424, 135_701, "Disease 5,134"),
    ("ncbi_disease/devel.tsv", "IOB2", 923, 23_969, "Disease 787"),
    ("ncbi_disease/test.tsv", "IOB2", 940, 24_497, "Disease 960"),
]
NAMES = [row[0] for row in CORPORA]
# Characters that the source of the Weibo corpus lost became U+FFFD twice: one token of two characters.
TWO_CHARACTER_TOKENS = {"train": 12, "dev": 16, "test": 16}


def _number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize(("name", "scheme", "sentences", "tokens", "entities"), CORPORA, ids=NAMES)
def test_counts_are_those_of_the_corpus(
    corpora: Path, name: str, scheme: str, sentences: int, tokens: int, entities: str
) -> None:
    opened = read_file(corpora / name)
    found_sentences, found_tokens, found = 0, 0, Counter[str]()
    for document in opened.documents:
        joined_by = document.meta["joined_by"]
        found_sentences += 1
        found_tokens += len(document.text.split(joined_by) if joined_by else document.text)
        found.update(span.label for span in document.spans)
    if name.startswith("weibo"):
        found_tokens -= TWO_CHARACTER_TOKENS[name.rpartition(".")[2]]
    assert (found_sentences, found_tokens) == (sentences, tokens)
    if re.fullmatch(r"[\d,]+", entities):
        assert sum(found.values()) == _number(entities)
    else:
        pairs = [pair.split(" ") for pair in entities.split("; ")]
        assert found == {label: _number(count) for label, count in pairs}
    assert opened.format == "gmb" if scheme == "gmb" else any(scheme in note for note in opened.notes)


def test_the_two_tagging_schemes_of_conll2003_decode_to_the_same_spans(corpora: Path) -> None:
    for left, right in (("eng.train", "train.txt"), ("eng.testa", "dev.txt"), ("eng.testb", "test.txt")):
        pairs = zip(
            read_file(corpora / "conll2003" / left).documents,
            read_file(corpora / "conll2003" / right).documents,
            strict=True,
        )
        assert all((one.text, one.spans, one.meta) == (other.text, other.spans, other.meta) for one, other in pairs)


@pytest.mark.parametrize(("name", "groups"), [("eng.train", 946), ("eng.testa", 216), ("eng.testb", 231)])
def test_documents_of_conll2003_are_its_groups(corpora: Path, name: str, groups: int) -> None:
    found = {document.meta["group"] for document in read_file(corpora / "conll2003" / name).documents}
    assert found == set(range(1, groups + 1))


def test_odd_words_of_gmb_are_kept(corpora: Path) -> None:
    words = Counter[str]()
    for document in read_file(corpora / "gmb" / "ner_dataset.csv.gz").documents:
        words.update(document.text.split(" "))
    assert words["None"] == 7
    assert words['"'] == 3_313
    assert words["\u2026"] == 3
    assert not any("\x80" <= character <= "\x9f" for word in words for character in word)


@pytest.mark.parametrize(("part", "orphans"), [("train", 10), ("test", 4)])
def test_orphans_of_weibo_are_noted(corpora: Path, part: str, orphans: int) -> None:
    opened = read_file(corpora / "weibo_ner" / f"weiboNER_2nd_conll.{part}")
    texts = [document.text for document in opened.documents]
    assert any(f"Inside tags that continue nothing: {orphans}," in note for note in opened.notes)
    assert any("http://t.cn/" in text for text in texts)
