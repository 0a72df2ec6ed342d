"""A Hugging Face token-classification model as a tagger, with a model whose every piece has scores of its own."""

import json
from pathlib import Path

import numpy as np
import pytest

from ner.errors import BrokenPackage
from registry.encoder_tagger import EncoderTagger
from tests.registry.encoder_folder import TAGS, write_encoder


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> EncoderTagger:
    return EncoderTagger(write_encoder(tmp_path_factory.mktemp("encoder")))


def _found(tagger: EncoderTagger, text: str) -> list[tuple[str, str]]:
    [answer] = tagger.tag([text])
    return [(text[span.start : span.end], span.label) for span in answer.spans]


@pytest.mark.parametrize("text", ["Ada Byron lives in New Delhi .", "🎉 Ada Byron\nmet (New Delhi)"])
def test_words_speak_through_their_first_piece_and_offsets_are_those_of_the_text(
    tagger: EncoderTagger, text: str
) -> None:
    assert _found(tagger, text) == [("Ada Byron", "PER"), ("New Delhi", "LOC")]


def test_a_word_of_several_pieces_is_one_token(tagger: EncoderTagger) -> None:
    assert _found(tagger, "Oslos .") == [("Oslos", "LOC")]


def test_the_confidence_is_the_softmax_over_allowed_sequences(tagger: EncoderTagger) -> None:
    [answer] = tagger.tag(["Oslo"])
    scores = {tag: np.exp(4.0 if tag == "B-LOC" else 0.0) for tag in TAGS if not tag.startswith("I-")}
    assert tagger.confidence_kind == "softmax"
    assert answer.spans[0].confidence == pytest.approx(scores["B-LOC"] / sum(scores.values()))
    assert answer.expected_entities == pytest.approx(1 - scores["O"] / sum(scores.values()))


def test_unknown_words_are_those_without_pieces(tagger: EncoderTagger) -> None:
    [answer] = tagger.tag(["Ada met Zebulon ."])
    assert (answer.tokens, answer.unknown_tokens) == (4, 1)


def test_no_entity_is_lost_when_a_sentence_has_more_pieces_than_the_model_has_positions(tagger: EncoderTagger) -> None:
    text = " ".join(["Ada Byron met"] * 40)
    assert _found(tagger, text) == [("Ada Byron", "PER")] * 40


def test_answers_do_not_depend_on_what_is_tagged_beside_them(tagger: EncoderTagger) -> None:
    texts = ["Ada Byron met", "", "Oslo . " * 30, "New Delhi"]
    assert tagger.tag(texts) == [tagger.tag([text])[0] for text in texts]


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_folder_is_refused_when_a_file_is_missing(tmp_path: Path, missing: str) -> None:
    (write_encoder(tmp_path) / missing).unlink()
    with pytest.raises(BrokenPackage, match=missing.replace(".", r"\.")):
        EncoderTagger(tmp_path)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["O", "I-PER"], "B and I of each label"),
        (["B-PER", "I-PER"], "B and I of each label"),
        (["NOUN", "VERB"], "is not a tag"),
        (["O", "B-PER", "I-PER"], "gives 5 scores"),
    ],
)
def test_a_model_is_refused_when_its_tags_are_not_iob2(tmp_path: Path, tags: list[str], message: str) -> None:
    write_encoder(tmp_path)
    config = {"id2label": {str(number): tag for number, tag in enumerate(tags)}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BrokenPackage, match=message):
        EncoderTagger(tmp_path)
