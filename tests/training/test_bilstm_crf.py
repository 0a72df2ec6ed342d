"""Fitting the BiLSTM-CRF on a small corpus: what it learns, reports, refuses and leaves behind."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from annotation.offers import PartialLabels
from ner.documents import EntitySpan, LabelledText
from ner.errors import InvalidInput, RunCancelled
from ner.scoring import strict_score
from ner.tags import tag_names
from registry.features import UNKNOWN, Featuriser, build_vocabulary
from registry.taggers import load_tagger
from tests.training.small_corpus import TINY, small_corpus
from training.batches import Corpus, batch_count, epoch_batches, even_batches, number_sentences
from training.bilstm_crf import batch_size
from training.fitting import Epoch, Fitted, fit
from training.recipes import get_recipe
from training.schedule import epoch_count, member_count, rate_at
from training.sentences import cut_documents

LABELS = ["geo", "per", "tim"]
CORPUS = small_corpus()
TRAIN, DEV = CORPUS[:180], CORPUS[180:]


def _fit(folder: Path, report: Callable[[Epoch], None] = lambda _: None, **parameters: float) -> Fitted:
    recipe = get_recipe("bilstm_crf.v1", TINY | parameters)
    return fit(recipe, TRAIN, DEV, LABELS, folder, report, lambda: False)


class Trained:
    """One finished run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reported: list[Epoch] = []
        self.fitted = _fit(folder, self.reported.append)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("package"))


@pytest.mark.slow
def test_the_package_tags_unseen_sentences_as_well_as_the_best_epoch_did(trained: Trained) -> None:
    answers = load_tagger(trained.folder).tag([document.text for document in DEV])
    score = strict_score([d.spans for d in DEV], [[span.span for span in answer.spans] for answer in answers])
    assert score.f1 == pytest.approx(max(item["f1"] for item in trained.fitted.history))
    assert score.f1 > 0.9


@pytest.mark.slow
def test_every_epoch_is_reported_with_falling_loss(trained: Trained) -> None:
    assert [epoch.epoch for epoch in trained.reported] == list(range(1, TINY["epochs"] + 1))
    assert trained.reported[-1].seconds_left == 0
    assert trained.reported[-1].loss < trained.reported[0].loss / 4
    assert [epoch.f1 for epoch in trained.reported] == [item["f1"] for item in trained.fitted.history]


@pytest.mark.slow
def test_the_exported_model_is_proven_equal(trained: Trained) -> None:
    parity = trained.fitted.parity
    assert parity["identical"]
    assert parity["sentences"] == len(CORPUS)
    assert parity["largest_difference"] < 1e-4


@pytest.mark.slow
def test_the_package_says_how_it_is_served(trained: Trained) -> None:
    metadata = json.loads((trained.folder / "metadata.json").read_text(encoding="utf-8"))
    assert (metadata["backend"], metadata["confidence_kind"]) == ("onnx", "calibrated_crf_marginal")
    assert metadata["labels"] == json.loads((trained.folder / "labels.json").read_text(encoding="utf-8")) == LABELS
    assert metadata["parameters"]["lstm_units"] == TINY["lstm_units"]
    files = {path.name for path in trained.folder.iterdir()}
    network = {"vocabulary.json", "model.onnx", "words.npz", "recurrent.npz", "crf.json", "calibration.json"}
    assert files == {"metadata.json", "labels.json"} | network


@pytest.mark.slow
def test_a_suggestion_that_was_rejected_often_is_not_made_again_and_the_rest_is_as_good(
    trained: Trained, tmp_path: Path
) -> None:
    names = ("Oslo", "Lisbon", "Quito", "Bergen", "Kyoto", "Porto", "Leeds")
    texts = [f"The rain reached {name} cheese ." for name in names]
    rejected = [
        PartialLabels(text, text, [], [EntitySpan(17, 17 + len(name), "geo")])
        for text, name in zip(texts[1:], names[1:], strict=True)
    ]
    recipe = get_recipe("bilstm_crf.v1", TINY)
    fitted = fit(recipe, TRAIN, DEV, LABELS, tmp_path, lambda _: None, lambda: False, None, rejected * 4)
    assert fitted.judged == {"sentences": 24, "accepted": 0, "rejected": 24}
    offered = EntitySpan(17, 21, "geo")
    before, after = (load_tagger(folder).tag(texts)[0] for folder in (trained.folder, tmp_path))
    assert offered in [one.span for one in before.spans]
    assert offered not in [one.span for one in after.spans]
    assert max(item["f1"] for item in fitted.history) > 0.9


@pytest.mark.slow
def test_the_vocabulary_is_that_of_the_train_part(trained: Trained) -> None:
    words = {word.lower() for document in TRAIN for word in document.text.split()}
    assert trained.fitted.vocabulary == words


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trained: Trained, tmp_path: Path) -> None:
    packages = {}
    for name, seed in (("same", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        _fit(tmp_path / name, seed=seed)
        packages[name] = (tmp_path / name / "model.onnx").read_bytes()
    assert packages["same"] == (trained.folder / "model.onnx").read_bytes()
    assert packages["other"] != packages["same"]


@pytest.mark.slow
def test_members_learn_one_after_another_and_answer_together(tmp_path: Path) -> None:
    reported: list[Epoch] = []
    fitted = _fit(tmp_path, reported.append, members=2, epochs=8)
    assert [epoch.epoch for epoch in reported] == list(range(1, 17))
    assert {epoch.epochs for epoch in reported} == {16}
    assert fitted.parity["identical"]
    answers = load_tagger(tmp_path).tag([document.text for document in DEV])
    assert strict_score([d.spans for d in DEV], [[span.span for span in answer.spans] for answer in answers]).f1 > 0.9


@pytest.mark.slow
def test_training_stops_early_and_keeps_the_best_weights_when_dev_no_longer_gets_better(tmp_path: Path) -> None:
    fitted = _fit(tmp_path, epochs=100, patience=2)
    scores = [item["f1"] for item in fitted.history]
    assert len(scores) < 100
    assert scores.index(max(scores)) == len(scores) - 3
    answers = load_tagger(tmp_path).tag([document.text for document in DEV])
    score = strict_score([d.spans for d in DEV], [[span.span for span in answer.spans] for answer in answers])
    assert score.f1 == pytest.approx(max(scores))


@pytest.mark.slow
def test_a_run_is_cancelled_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    questions = iter([False] * 5 + [True])
    reported: list[Epoch] = []
    with pytest.raises(RunCancelled):
        fit(get_recipe("bilstm_crf.v1", TINY), TRAIN, DEV, LABELS, tmp_path, reported.append, lambda: next(questions))
    assert reported == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_spans_that_no_tokens_cover_are_counted_and_missed_on_dev(tmp_path: Path) -> None:
    cut = LabelledText("Ada lives in Oslo .", (EntitySpan(1, 3, "per"), EntitySpan(13, 17, "geo")))
    recipe = get_recipe("bilstm_crf.v1", TINY | {"epochs": 1})
    fitted = fit(recipe, [*TRAIN, cut], [cut, cut], LABELS, tmp_path, lambda _: None, lambda: False)
    assert fitted.misaligned == {"train": 1, "dev": 2}


@pytest.mark.parametrize(
    ("train", "dev", "labels", "message"),
    [
        ([LabelledText("Nothing here .", ())], DEV, LABELS, "at least one entity"),
        (TRAIN, [LabelledText(" ", ())], LABELS, "at least one entity"),
        (TRAIN, DEV, [], "at least one label"),
    ],
)
def test_fitting_is_refused_when_there_is_nothing_to_learn_from(
    train: list[LabelledText], dev: list[LabelledText], labels: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=message):
        fit(get_recipe("bilstm_crf.v1"), train, dev, labels, tmp_path, lambda _: None, lambda: False)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    assert [rate_at(done, 0.2) for done in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])
    assert rate_at(0.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("sentences", "size"), [(10, 4), (180, 4), (1000, 10), (14_000, 16), (20_000, 20), (35_000, 32)]
)
def test_batches_are_smaller_when_there_are_few_sentences(sentences: int, size: int) -> None:
    assert batch_size(sentences, 32) == size


@pytest.mark.parametrize(("sentences", "epochs"), [(100, 60), (1600, 30), (14_000, 10), (35_000, 6), (10**6, 4)])
def test_epochs_are_fewer_when_there_are_many_sentences(sentences: int, epochs: int) -> None:
    assert epoch_count(sentences, 60) == epochs


def test_epochs_never_grow_beyond_what_was_asked() -> None:
    assert epoch_count(100, 3) == 3


@pytest.mark.parametrize(
    ("sentences", "wished", "members"), [(20_000, 0, 2), (20_001, 0, 1), (10, 3, 3), (10**6, 2, 2)]
)
def test_a_large_corpus_has_one_network_unless_more_are_wished(sentences: int, wished: int, members: int) -> None:
    assert member_count(sentences, wished) == members


def test_batches_never_grow_beyond_what_was_asked() -> None:
    assert batch_size(10, 2) == 2


def _numbered() -> Corpus:
    cut = cut_documents(CORPUS, LABELS)
    vocabulary = build_vocabulary((word for sentence in cut.sentences for word in sentence.words), word_count=1)
    return number_sentences(cut.sentences, tag_names(LABELS), Featuriser(vocabulary))


@pytest.mark.parametrize("size", [1, 7, 32, 500])
def test_an_epoch_holds_every_sentence_once_in_an_order_that_the_seed_decides(size: int) -> None:
    corpus = _numbered()
    orders = []
    for seed in (1, 1, 2):
        batches = list(epoch_batches(corpus, size, np.random.default_rng(seed), word_dropout=0.5))
        assert len(batches) == batch_count(corpus, size)
        orders.append([int(place) for batch in batches for place in batch.places])
    assert sorted(orders[0]) == list(range(len(corpus)))
    assert orders[0] == orders[1] != orders[2]


def test_a_word_seen_n_times_is_dropped_with_chance_d_in_d_plus_n() -> None:
    corpus, random = _numbered(), np.random.default_rng(0)
    expected = (5 / (5 + corpus.word_counts[corpus.words])).sum()
    dropped = [
        sum(
            int((batch.rows[:, :, 0] == UNKNOWN).sum()) for batch in epoch_batches(corpus, 50, random, word_dropout=5.0)
        )
        for _ in range(40)
    ]
    assert np.mean(dropped) == pytest.approx(expected, rel=0.03)


def test_no_word_is_dropped_when_word_dropout_is_zero() -> None:
    batches = epoch_batches(_numbered(), 50, np.random.default_rng(0), word_dropout=0.0)
    assert not any((batch.rows[:, :, 0] == UNKNOWN).any() for batch in batches)


def test_padding_is_zero_and_real_tokens_are_those_of_the_sentences() -> None:
    corpus = _numbered()
    for batch in even_batches(corpus, 9):
        for rows, tags, length, place in zip(batch.rows, batch.tags, batch.lengths, batch.places, strict=True):
            start = corpus.starts[place]
            assert np.array_equal(rows[:length], corpus.rows[corpus.words[start : start + length]])
            assert np.array_equal(tags[:length], corpus.tags[start : start + length])
            assert not rows[length:].any()
            assert not tags[length:].any()
