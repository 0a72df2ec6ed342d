"""The spaCy tagger: the same spans as spaCy's own, with exact offsets and a probability for each."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from ner.errors import BrokenPackage
from ner.tokens import tokenize, words
from registry.spacy_tagger import SpacyTagger
from registry.taggers import load_tagger
from tests.training.small_corpus import small_corpus
from training.fitting import fit
from training.recipes import get_recipe

pytestmark = pytest.mark.slow

SENTENCE = "Nobody in New Delhi had heard of Ada Byron ."
EXPECTED = [("New Delhi", "geo"), ("Ada Byron", "per")]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    recipe = get_recipe("spacy_cnn.v1", {"epochs": 12, "batch_words": 100, "width": 32, "depth": 2})
    corpus = small_corpus()
    fit(recipe, corpus[:190], corpus[190:], ["geo", "per", "tim"], folder, lambda _: None, lambda: False)
    return folder


@pytest.fixture(scope="module")
def tagger(package: Path) -> SpacyTagger:
    return SpacyTagger(package)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("😀😀 👩‍👩‍👧 .\n", "\n🎉"),
        ("e\u0301te\u0301 .\n", "\ne\u0301"),
        ("東京都に住む。\n", "\n中文"),
        ("שלום עולם .\n", "\nمرحبا"),
        ("first line\r\nsecond line\r\n", "\r\nthird\r\n"),
    ],
    ids=["plain", "emoji", "combining marks", "CJK", "right to left", "CRLF"],
)
def test_offsets_are_exact_whatever_stands_around(tagger: SpacyTagger, before: str, after: str) -> None:
    text = before + SENTENCE + after
    [answer] = tagger.tag([text])
    inside = [span for span in answer.spans if len(before) <= span.start < len(before) + len(SENTENCE)]
    assert [(text[span.start : span.end], span.label) for span in inside] == EXPECTED


def test_spans_are_those_that_spacy_itself_finds(tagger: SpacyTagger, package: Path) -> None:
    language: Any = spacy.load(package / "spacy")
    for document in small_corpus(300, seed=11):
        text, tokens = document.text, tokenize(document.text)
        doc = language(Doc(language.vocab, words=words(text, tokens)))
        expected = [(tokens[ent.start][0], tokens[ent.end - 1][1], ent.label_) for ent in doc.ents]
        assert [(span.start, span.end, span.label) for span in tagger.tag([text])[0].spans] == expected


@given(st.lists(st.text(max_size=40), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_any_texts_get_ordered_flat_spans_with_probabilities(tagger: SpacyTagger, texts: list[str]) -> None:
    for text, answer in zip(texts, tagger.tag(texts), strict=True):
        reached = 0
        for span in answer.spans:
            assert reached <= span.start < span.end <= len(text)
            assert 0.0 < span.confidence <= 1.0
            reached = span.end
        assert answer.tokens == len(tokenize(text)) >= answer.unknown_tokens


def test_confidence_is_lower_for_a_name_in_an_unlikely_place(tagger: SpacyTagger) -> None:
    likely, unlikely = tagger.tag(["Nobody in Oslo had heard of Ada Byron .", "Zork Oslo blip Ada frob ."])
    lowest = min(span.confidence for span in likely.spans)
    assert lowest > 0.8
    assert all(span.confidence < lowest for span in unlikely.spans)


def test_answers_keep_the_order_of_the_texts_and_do_not_depend_on_the_batch(tagger: SpacyTagger) -> None:
    texts = [*[document.text for document in small_corpus()][:40], "", SENTENCE, "x " * 300]
    for text, together in zip(texts, tagger.tag(texts), strict=True):
        [alone] = tagger.tag([text])
        assert [span.span for span in alone.spans] == [span.span for span in together.spans]


def test_threads_get_the_answers_of_their_own_texts(tagger: SpacyTagger) -> None:
    texts = [document.text for document in small_corpus()][:20]
    expected = [[span.span for span in answer.spans] for answer in tagger.tag(texts)]
    answers: dict[int, list[Any]] = {}

    def ask(part: int) -> None:
        answers[part] = [[span.span for span in tagger.tag([text])[0].spans] for text in texts]

    threads = [threading.Thread(target=ask, args=(part,)) for part in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(range(3), expected)


def test_labels_and_the_kind_of_confidence_are_told(package: Path) -> None:
    loaded = load_tagger(package)
    assert loaded.labels == ("geo", "per", "tim")
    assert loaded.confidence_kind == "softmax"


def test_loading_unpickles_nothing_and_needs_no_tensorflow(package: Path) -> None:
    program = (
        "import sys, pathlib, pickle, spacy\n"
        "def refuse(*_, **__): raise SystemExit('something was unpickled')\n"
        "pickle.loads = pickle.load = pickle.Unpickler = refuse\n"
        "from registry.taggers import load_tagger\n"
        f"found = load_tagger(pathlib.Path({str(package)!r})).tag([{SENTENCE!r}])[0].spans\n"
        "assert len(found) == 2, found\n"
        "print(sorted({'tensorflow', 'keras', 'training'} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_package_is_refused_when_its_pipeline_is_missing_or_has_no_recogniser(package: Path, tmp_path: Path) -> None:
    shutil.copy(package / "vocabulary.json", tmp_path)
    with pytest.raises(BrokenPackage, match="is not a spaCy pipeline"):
        SpacyTagger(tmp_path)
    spacy.blank("xx").to_disk(tmp_path / "spacy")
    with pytest.raises(BrokenPackage, match="component 'ner'"):
        SpacyTagger(tmp_path)
