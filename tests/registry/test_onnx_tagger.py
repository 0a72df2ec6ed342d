"""The ONNX tagger on every kind of text, with a small model that knows a few names."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner.errors import BrokenPackage
from ner.tokens import tokenize
from registry.features import word_hash
from registry.onnx_tagger import OnnxTagger, WholeNetwork
from registry.taggers import load_tagger
from registry.windows import LONGEST
from tests.training.small_corpus import TINY, small_corpus

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training.fitting import fit
    from training.recipes import get_recipe

    folder = tmp_path_factory.mktemp("package")
    corpus, recipe = small_corpus(), get_recipe("bilstm_crf.v1", TINY)
    fit(recipe, corpus[:190], corpus[190:], ["geo", "per", "tim"], folder, lambda _: None, lambda: False)
    return folder


@pytest.fixture(scope="module")
def tagger(package: Path) -> OnnxTagger:
    return OnnxTagger(package)


def _found(tagger: OnnxTagger, text: str) -> list[tuple[str, str]]:
    [answer] = tagger.tag([text])
    return [(text[span.start : span.end], span.label) for span in answer.spans]


SENTENCE = "Nobody in New Delhi had heard of Ada Byron ."
EXPECTED = [("New Delhi", "geo"), ("Ada Byron", "per")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("😀😀 👩‍👩‍👧 \U0001f1e9\U0001f1ea.\n", "\n🎉"),
        ("e\u0301te\u0301 n\u0303 .\n", "\ne\u0301"),
        ("東京都に住む。\n", "\n中文"),
        ("שלום עולם .\n", "\nمرحبا بالعالم"),
        ("first line\r\nsecond line\r\n", "\r\nthird\r\n"),
        ("\ufeff\u200b \t\u00a0 x.\n", "\n \u2028 y"),
    ],
    ids=["plain", "emoji", "combining marks", "CJK", "right to left", "CRLF", "invisible characters"],
)
def test_offsets_are_exact_whatever_stands_around(tagger: OnnxTagger, before: str, after: str) -> None:
    text = before + SENTENCE + after
    [answer] = tagger.tag([text])
    inside = [span for span in answer.spans if len(before) <= span.start < len(before) + len(SENTENCE)]
    assert [(text[span.start : span.end], span.label) for span in inside] == EXPECTED


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_texts_get_ordered_flat_spans_on_token_borders(tagger: OnnxTagger, texts: list[str]) -> None:
    for text, answer in zip(texts, tagger.tag(texts), strict=True):
        tokens = tokenize(text)
        starts, ends = {start for start, _ in tokens}, {end for _, end in tokens}
        reached = 0
        for span in answer.spans:
            assert span.start >= reached
            assert span.start in starts
            assert span.end in ends
            assert span.label in tagger.labels
            assert 0.0 < span.confidence <= 1.0
            reached = span.end
        assert answer.tokens == len(tokens) >= answer.unknown_tokens
        assert len(answer.word_sample) == min(16, len(tokens))


@pytest.mark.parametrize("text", ["", " ", "\r\n\t"])
def test_nothing_is_found_when_a_text_has_no_tokens(tagger: OnnxTagger, text: str) -> None:
    [answer] = tagger.tag([text])
    assert (answer.spans, answer.tokens, answer.unknown_tokens, answer.word_sample) == ((), 0, 0, ())


def test_no_texts_get_no_answers(tagger: OnnxTagger) -> None:
    assert tagger.tag([]) == []


def test_answers_keep_the_order_of_the_texts_and_do_not_depend_on_the_batch(tagger: OnnxTagger) -> None:
    texts = [*[document.text for document in small_corpus()][:70], "", SENTENCE, "x " * 300]
    alone = [tagger.tag([text])[0] for text in texts]
    for left, right in zip(tagger.tag(texts), alone, strict=True):
        assert [span.span for span in left.spans] == [span.span for span in right.spans]
        assert [s.confidence for s in left.spans] == pytest.approx([s.confidence for s in right.spans], abs=1e-5)


@pytest.mark.parametrize("gap", range(LONGEST - 24, LONGEST + 24))
def test_entities_are_whole_when_a_window_ends_near_or_inside_them(tagger: OnnxTagger, gap: int) -> None:
    text = "the " * gap + "rain reached New Delhi on Friday and " + "the " * LONGEST
    [answer] = tagger.tag([text])
    found = [text[span.start : span.end] for span in answer.spans]
    assert found.count("New Delhi") == 1
    assert "New" not in found
    assert "Delhi" not in found


def test_a_document_of_100_kilobytes_is_answered_to_its_last_sentence(tagger: OnnxTagger) -> None:
    text = "\n".join([SENTENCE] * (100_000 // (len(SENTENCE) + 1)))
    found = _found(tagger, text)
    assert found == EXPECTED * (len(found) // 2)
    assert len(found) == 2 * text.count("\n") + 2


def test_known_and_unknown_words_are_counted_and_sampled(tagger: OnnxTagger) -> None:
    [answer] = tagger.tag(["Nobody in Zzyzx had heard"])
    assert (answer.tokens, answer.unknown_tokens) == (5, 1)
    expected = [(word, word != "zzyzx") for word in ("nobody", "in", "zzyzx", "had", "heard")]
    assert answer.word_sample == tuple(word_hash(word) * (1 if known else -1) for word, known in expected)


def test_the_sample_is_spread_evenly_when_a_text_is_long(tagger: OnnxTagger) -> None:
    words = [f"w{number}" for number in "abcdefghijklmnopqrstuvwxyzabcdef"]
    [answer] = tagger.tag([" ".join(words)])
    assert answer.word_sample == tuple(-word_hash(word) for word in words[::2])


def test_threads_get_the_answers_of_their_own_texts(tagger: OnnxTagger) -> None:
    texts = [document.text for document in small_corpus()][:40]
    expected = tagger.tag(texts)
    wrong: list[str] = []

    def ask(part: int) -> None:
        wrong.extend(
            text for text, right in list(zip(texts, expected, strict=True))[part::4] if not _agree(text, right)
        )

    def _agree(text: str, right: object) -> bool:
        return [s.span for s in tagger.tag([text])[0].spans] == [s.span for s in right.spans]  # type: ignore[attr-defined]

    threads = [threading.Thread(target=ask, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_labels_and_the_kind_of_confidence_are_told(package: Path) -> None:
    loaded = load_tagger(package)
    assert loaded.labels == ("geo", "per", "tim")
    assert loaded.confidence_kind == "calibrated_crf_marginal"


def test_confidences_are_bare_marginals_when_a_package_has_no_calibration(package: Path, tmp_path: Path) -> None:
    older = shutil.copytree(package, tmp_path / "older")
    (older / "calibration.json").unlink()
    bare, calibrated = load_tagger(older), load_tagger(package)
    assert bare.confidence_kind == "crf_marginal"
    [[left], [right]] = [loaded.tag([SENTENCE]) for loaded in (bare, calibrated)]
    assert [span.span for span in left.spans] == [span.span for span in right.spans]
    assert [span.confidence for span in left.spans] != [span.confidence for span in right.spans]


def test_tagging_needs_no_training_framework_and_no_pickle(package: Path) -> None:
    program = (
        "import sys, pathlib, pickle\n"
        "def refuse(*_, **__): raise SystemExit('something was unpickled')\n"
        "pickle.loads = pickle.load = pickle.Unpickler = refuse\n"
        "from registry.taggers import load_tagger\n"
        f"found = load_tagger(pathlib.Path({str(package)!r})).tag([{SENTENCE!r}])[0].spans\n"
        "assert len(found) == 2, found\n"
        "print(sorted({'tensorflow', 'keras', 'spacy', 'training'} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["words.npz", "recurrent.npz", "crf.json", "vocabulary.json"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_package_is_refused_when_a_file_is_damaged(package: Path, tmp_path: Path, name: str, damage: str) -> None:
    shutil.copytree(package, tmp_path / "copy")
    path = tmp_path / "copy" / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BrokenPackage, match=name):
        OnnxTagger(tmp_path / "copy")


def test_a_package_of_before_answers_with_its_whole_network(package: Path, tmp_path: Path, tagger: OnnxTagger) -> None:
    shutil.copytree(package, tmp_path / "copy")
    (tmp_path / "copy" / "words.npz").rename(tmp_path / "copy" / "words.onnx")
    before = OnnxTagger(tmp_path / "copy")
    assert isinstance(before._network, WholeNetwork)
    [old], [new] = before.tag([SENTENCE]), tagger.tag([SENTENCE])
    assert [span.label for span in old.spans] == [span.label for span in new.spans]
    assert [span.confidence for span in old.spans] == pytest.approx([span.confidence for span in new.spans], abs=1e-4)


def test_a_package_is_refused_when_its_crf_belongs_to_another_model(package: Path, tmp_path: Path) -> None:
    shutil.copytree(package, tmp_path / "copy")
    other = {"tags": ["O"], "transitions": [[0.0]], "start": [0.0], "end": [0.0]}
    (tmp_path / "copy" / "crf.json").write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(BrokenPackage, match="same number of tags"):
        OnnxTagger(tmp_path / "copy")


def test_the_expected_number_of_entities_is_close_to_what_is_found_when_the_model_is_sure(tagger: OnnxTagger) -> None:
    [sure, empty] = tagger.tag([SENTENCE, ""])
    assert sure.expected_entities == pytest.approx(2.0, abs=0.3)
    assert empty.expected_entities == 0.0


def test_the_expected_entities_of_a_long_sentence_are_counted_once_where_windows_overlap(tagger: OnnxTagger) -> None:
    long = " ".join(SENTENCE.removesuffix(" .") for _ in range(LONGEST // 4))
    [answer] = tagger.tag([long])
    assert answer.expected_entities == pytest.approx(len(answer.spans), rel=0.15)
