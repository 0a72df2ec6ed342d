"""The exported graph answers as the network, whatever the padding; and a difference is found when there is one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

from ner.tags import tag_names
from registry import bilstm
from registry.features import Featuriser, build_vocabulary
from registry.onnx_tagger import WholeNetwork, open_network
from registry.recipes import OF_THE_RUN, get_recipe
from tests.training.small_corpus import TINY, small_corpus
from training.batches import Corpus, even_batches, number_sentences
from training.crf_layer import CrfLayer
from training.learner import Parameters
from training.network import Network
from training.onnx_export import export_networks
from training.parity import compare_with_onnx
from training.sentences import Sentence, cut_documents

LABELS = ["geo", "per", "tim"]
TAGS = tag_names(LABELS)


class Exported:
    """A network with random weights, its package, and sentences of length 1 to 130."""

    def __init__(self, folder: Path) -> None:
        keras.utils.set_random_seed(3)
        words = [word for sentence in cut_documents(small_corpus(), LABELS).sentences for word in sentence.words]
        vocabulary = build_vocabulary(words)
        recipe = get_recipe("bilstm_crf.v1", TINY).parameters
        parameters = Parameters(**{name: value for name, value in recipe.items() if name not in OF_THE_RUN})
        self.folder = folder
        self.network = Network(vocabulary.sizes(), len(TAGS), parameters)
        random = np.random.default_rng(5)
        sentences = [Sentence([*random.choice(words, length)], []) for length in [*range(1, 40), 80, 130]]
        self.corpus: Corpus = number_sentences(sentences, TAGS, Featuriser(vocabulary))
        crf = CrfLayer(TAGS)
        crf.build(None)
        batch = next(even_batches(self.corpus, 2))
        self.emit(batch)
        for weight in [*self.network.weights, *crf.weights]:
            weight.assign(0.4 * random.normal(size=weight.shape))
        crf.learned().save(folder / "crf.json")
        export_networks([self.network], folder)

    def emit(self, batch: Any) -> Any:
        return self.network(batch.rows, batch.lengths, training=False).numpy()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("package"))


@pytest.mark.parametrize("size", [1, 7, 41])
def test_scores_and_tags_are_those_of_the_network(exported: Exported, size: int) -> None:
    parity = compare_with_onnx(exported.emit, exported.folder, list(even_batches(exported.corpus, size)))
    assert parity["sentences"] == len(exported.corpus)
    assert parity["largest_difference"] < 1e-5
    assert parity["identical"]


@pytest.mark.parametrize("is_whole", [True, False])
def test_scores_of_a_sentence_do_not_depend_on_its_batch(exported: Exported, is_whole: bool) -> None:
    network = WholeNetwork(exported.folder / "model.onnx") if is_whole else open_network(exported.folder)
    [batch] = even_batches(exported.corpus, len(exported.corpus))
    together = network.emit(batch.rows, batch.lengths)
    for rows, length, expected in zip(batch.rows, batch.lengths, together, strict=True):
        alone = network.emit(rows[None, :length], np.array([length], dtype=np.int32))
        np.testing.assert_allclose(alone[0], expected[:length], atol=1e-6)


def test_scores_stay_the_same_when_words_have_to_make_room(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = WholeNetwork(exported.folder / "model.onnx")
    monkeypatch.setattr(bilstm, "_ROOM_BYTES", 5 * 2 * 4 * 12 * 4)
    narrow = open_network(exported.folder)
    for batch in [*even_batches(exported.corpus, 3), *even_batches(exported.corpus, 7)]:
        inside = np.arange(batch.rows.shape[1]) < batch.lengths[:, None]
        expected = whole.emit(batch.rows, batch.lengths)[inside]
        np.testing.assert_allclose(narrow.emit(batch.rows, batch.lengths)[inside], expected, atol=1e-5)


def test_threads_that_share_what_is_kept_of_words_get_their_own_scores(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = WholeNetwork(exported.folder / "model.onnx")
    monkeypatch.setattr(bilstm, "_ROOM_BYTES", 9 * 2 * 4 * 12 * 4)
    narrow = open_network(exported.folder)
    batches = list(even_batches(exported.corpus, 3)) * 4

    def furthest(batch: Any) -> float:
        inside = np.arange(batch.rows.shape[1]) < batch.lengths[:, None]
        gaps = narrow.emit(batch.rows, batch.lengths) - whole.emit(batch.rows, batch.lengths)
        return float(np.abs(gaps[inside]).max())

    with ThreadPoolExecutor(4) as threads:
        assert max(threads.map(furthest, batches)) < 1e-5


def test_a_difference_is_reported_when_the_network_changed_after_the_export(exported: Exported) -> None:
    batches = list(even_batches(exported.corpus, 8))
    parity = compare_with_onnx(lambda batch: exported.emit(batch) + np.float32(2e-4), exported.folder, batches)
    assert parity["largest_difference"] == pytest.approx(2e-4, abs=1e-5)
    assert parity["sentences_with_other_tags"] == 0
    assert not parity["identical"]


def test_other_tags_are_counted_when_scores_lead_to_them(exported: Exported) -> None:
    batches = list(even_batches(exported.corpus, 8))
    parity = compare_with_onnx(lambda batch: -exported.emit(batch), exported.folder, batches)
    assert parity["sentences_with_other_tags"] > len(exported.corpus) // 2
    assert not parity["identical"]


def test_the_file_is_a_valid_model_of_standard_operators(exported: Exported) -> None:
    model = onnx.load(str(exported.folder / "model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert [output.name for output in model.graph.output] == ["emissions"]
