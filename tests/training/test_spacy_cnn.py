"""Fitting spaCy through its own config: reports, cancelling, reproducibility, and what is stored."""

import json
from pathlib import Path

import pytest

from ner.documents import EntitySpan, LabelledText
from ner.errors import RunCancelled
from ner.scoring import strict_score
from registry.taggers import load_tagger
from tests.training.small_corpus import small_corpus
from training.fitting import Epoch, Fitted, fit
from training.recipes import get_recipe

pytestmark = pytest.mark.slow

SMALL = {"epochs": 6, "batch_words": 100, "width": 32, "depth": 2}
LABELS = ["geo", "per", "tim"]
CORPUS = small_corpus()
TRAIN, DEV = CORPUS[:180], CORPUS[180:]


def _fit(folder: Path, reported: list[Epoch], **parameters: float) -> Fitted:
    recipe = get_recipe("spacy_cnn.v1", SMALL | parameters)
    return fit(recipe, TRAIN, DEV, LABELS, folder, reported.append, lambda: False)


class Trained:
    """One finished run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reported: list[Epoch] = []
        self.fitted = _fit(folder, self.reported)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("package"))


def test_the_stored_pipeline_scores_as_its_best_evaluation(trained: Trained) -> None:
    answers = load_tagger(trained.folder).tag([document.text for document in DEV])
    score = strict_score([d.spans for d in DEV], [[span.span for span in answer.spans] for answer in answers])
    assert score.f1 == pytest.approx(max(item["f1"] for item in trained.fitted.history), abs=1e-6)
    assert score.f1 > 0.8


def test_every_evaluation_is_reported(trained: Trained) -> None:
    assert [epoch.epoch for epoch in trained.reported] == list(range(1, SMALL["epochs"] + 1))
    assert trained.reported[-1].loss < trained.reported[0].loss
    assert trained.reported[-1].seconds_left == 0


def test_the_package_says_how_it_is_served_and_names_no_folder_of_the_run(trained: Trained) -> None:
    metadata = json.loads((trained.folder / "metadata.json").read_text(encoding="utf-8"))
    assert (metadata["backend"], metadata["confidence_kind"]) == ("spacy", "softmax")
    config = (trained.folder / "spacy" / "config.cfg").read_text(encoding="utf-8")
    assert "train = null" in config
    assert ".spacy" not in config


def test_the_same_seed_gives_the_same_history(trained: Trained, tmp_path: Path) -> None:
    again = _fit(tmp_path, [])
    assert [item["loss"] for item in again.history] == [item["loss"] for item in trained.fitted.history]


def test_a_run_is_cancelled_between_two_batches(tmp_path: Path) -> None:
    questions = iter([False] * 4 + [True])
    with pytest.raises(RunCancelled):
        fit(get_recipe("spacy_cnn.v1", SMALL), TRAIN, DEV, LABELS, tmp_path, lambda _: None, lambda: next(questions))
    assert not (tmp_path / "metadata.json").exists()


def test_spans_that_no_tokens_cover_are_counted(tmp_path: Path) -> None:
    cut = LabelledText("Ada lives in Oslo .", (EntitySpan(1, 3, "per"), EntitySpan(13, 17, "geo")))
    recipe = get_recipe("spacy_cnn.v1", SMALL | {"epochs": 1})
    fitted = fit(recipe, [*TRAIN, cut], [cut], LABELS, tmp_path, lambda _: None, lambda: False)
    assert fitted.misaligned == {"train": 1, "dev": 1}
