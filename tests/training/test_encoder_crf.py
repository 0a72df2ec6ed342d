"""Fine-tuning an encoder: a tiny random one, whose package answers as the network did."""

import json
from pathlib import Path

import numpy as np
import pytest

from annotation.offers import PartialLabels
from ner.documents import EntitySpan
from ner.errors import InvalidInput
from ner.scoring import strict_score
from registry.casing import CASES, word_case
from registry.onnx_tagger import open_session
from registry.taggers import load_tagger
from tests.training.small_corpus import small_corpus
from tests.training.tiny_encoder import write_tiny_encoder
from training.fitted import Epoch, Fitted
from training.fitting import fit
from training.recipes import get_recipe

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
CORPUS = small_corpus()
TRAIN, DEV = CORPUS[:180], CORPUS[180:]
LABELS = ["geo", "per", "tim"]
NAMES = ("Lisbon", "Quito", "Bergen", "Kyoto", "Porto", "Leeds")
REJECTED = [
    PartialLabels(name, f"The rain reached {name} cheese .", [], [EntitySpan(17, 17 + len(name), "geo")])
    for name in NAMES
]
SMALL = {"epochs": 8, "patience": 8, "batch_size": 8, "learning_rate": 0.003, "head_learning_rate": 0.01}


class Tuned:
    """One finished run."""

    def __init__(self, folder: Path) -> None:
        self.encoder = write_tiny_encoder(folder / "encoder", CORPUS)
        self.package = folder / "package"
        self.package.mkdir()
        self.reported: list[Epoch] = []
        recipe = get_recipe("encoder_crf.v1", {**SMALL, "encoder": str(self.encoder)})
        self.fitted: Fitted = fit(
            recipe, TRAIN, DEV, LABELS, self.package, self.reported.append, lambda: False, None, REJECTED * 4
        )


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    return Tuned(tmp_path_factory.mktemp("tuned"))


@pytest.mark.slow
def test_the_package_scores_on_dev_what_the_best_epoch_did(tuned: Tuned) -> None:
    answers = load_tagger(tuned.package).tag([document.text for document in DEV])
    score = strict_score([one.spans for one in DEV], [[span.span for span in answer.spans] for answer in answers])
    assert score.f1 == pytest.approx(max(item["f1"] for item in tuned.fitted.history))
    assert score.f1 > 0.8
    assert [epoch.epoch for epoch in tuned.reported] == list(range(1, 9))


@pytest.mark.slow
def test_what_was_rejected_is_not_offered_and_the_rest_is(tuned: Tuned) -> None:
    assert tuned.fitted.judged == {"sentences": 24, "accepted": 0, "rejected": 24}
    cheese, rain = load_tagger(tuned.package).tag(
        ["The rain reached Oslo cheese .", "On Monday the rain reached Oslo ."]
    )
    assert "geo" not in {one.label for one in cheese.spans}
    assert "geo" in {one.label for one in rain.spans}


@pytest.mark.slow
def test_the_exported_graph_is_proven_equal(tuned: Tuned) -> None:
    assert tuned.fitted.parity["identical"]
    assert tuned.fitted.parity["largest_difference"] < 1e-4


@pytest.mark.slow
def test_the_package_says_how_it_is_served(tuned: Tuned) -> None:
    metadata = json.loads((tuned.package / "metadata.json").read_text(encoding="utf-8"))
    assert (metadata["backend"], metadata["confidence_kind"]) == ("onnx_encoder", "calibrated_crf_marginal")
    assert load_tagger(tuned.package).labels == ("geo", "per", "tim")


@pytest.mark.slow
def test_padding_changes_no_score(tuned: Tuned) -> None:
    session = open_session(tuned.package / "model.onnx")
    ids = np.array([[2, 5, 6, 3]], dtype=np.int64)
    columns = {"input_ids": ids, "attention_mask": np.ones_like(ids), "word_case": np.array([[0, 1, 2, 0]])}
    padded = {name: np.pad(column, ((0, 0), (0, 5))) for name, column in columns.items()}
    [alone], [together] = session.run(None, columns), session.run(None, padded)
    np.testing.assert_allclose(together[:, :4], alone, atol=1e-5)


@pytest.mark.slow
def test_a_sentence_that_is_longer_than_the_encoder_reads_loses_no_entity(tuned: Tuned) -> None:
    text = " ".join(["Ada Byron lives in New Delhi"] * 12)
    [answer] = load_tagger(tuned.package).tag([text])
    assert answer.spans[-1].start > len(text) - 40


@pytest.mark.parametrize(
    ("place", "message"), [("", "Name the pretrained encoder"), ("nothing", "cannot load|can load")]
)
def test_an_encoder_is_refused_when_it_is_not_there(place: str, message: str, tmp_path: Path) -> None:
    where = str(tmp_path / place) if place else ""
    if place:
        (tmp_path / place).mkdir()
    with pytest.raises(InvalidInput, match=message):
        fit(get_recipe("encoder_crf.v1", {"encoder": where}), TRAIN, DEV, LABELS, tmp_path, print, lambda: False)


@pytest.mark.parametrize(
    ("word", "case"),
    [("oslo", 1), ("Oslo", 2), ("A", 2), ("UN", 3), ("McAdam", 4), ("B-52", 5), ("...", 6), ("東京", 4)],
)
def test_how_a_word_is_written_is_a_small_number(word: str, case: int) -> None:
    assert word_case(word) == case < CASES
