"""The recipe `bilstm_crf.v1`: a BiLSTM-CRF in Keras, trained from nothing and kept as ONNX."""

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ner.documents import LabelledText
from ner.errors import NerError, RunCancelled
from ner.scoring import Score, score_of
from ner.tags import decode_tags, tag_names
from registry.crf import best_tags
from registry.features import COLUMNS, Featuriser, Vocabulary, build_vocabulary
from training.batches import Batch, Corpus, batch_count, epoch_batches, even_batches, number_sentences
from training.crf_layer import CrfLayer
from training.fitted import Epoch, Fitted, Report, ShouldStop
from training.network import Network
from training.onnx_export import export_network
from training.optimizer import SparseAdam
from training.parity import compare_with_onnx
from training.sentences import CutDocuments, cut_documents

_EVALUATION_BATCH = 128
_PARITY_SENTENCES = 1000
_SMALLEST_BATCH = 4
_UPDATES_PER_EPOCH = 100
_ROWS = tf.TensorSpec([None, None, COLUMNS], tf.int32)
_TAGS = tf.TensorSpec([None, None], tf.int32)
_LENGTHS = tf.TensorSpec([None], tf.int32)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The recipe's hyper-parameters. `word_dropout` d makes a word seen n times unknown with chance d / (d + n);
    `warmup` is the share of all steps in which the learning rate rises, before it falls to zero."""

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    warmup: float
    gradient_clip: float
    word_dimension: int
    piece_dimension: int
    character_dimension: int
    character_filters: int
    lstm_units: int
    word_count: int
    piece_count: int
    word_dropout: float
    input_dropout: float
    recurrent_dropout: float
    output_dropout: float
    seed: int


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the data, cut and numbered."""

    cut: CutDocuments
    corpus: Corpus


class _Model:
    """The network, its CRF, and the two compiled functions over them."""

    def __init__(self, vocabulary: Vocabulary, tags: Sequence[str], parameters: Parameters) -> None:
        self.network = Network(vocabulary.sizes(), len(tags), parameters)
        self.crf = CrfLayer(tags, name="crf")
        self.crf.build(None)
        self.network(np.zeros((1, 2, COLUMNS), np.int32), np.array([2], np.int32))
        self._variables = self.network.trainable_variables + self.crf.trainable_variables
        self._clip = parameters.gradient_clip
        self.optimizer = SparseAdam(parameters.learning_rate)
        self.optimizer.build(self._variables)
        self.step = tf.function(self._step, input_signature=[_ROWS, _TAGS, _LENGTHS])
        self.emit = tf.function(self._emit, input_signature=[_ROWS, _LENGTHS])

    def _step(self, rows: Any, tag_ids: Any, lengths: Any) -> Any:
        with tf.GradientTape() as tape:
            emissions = self.network(rows, lengths, training=True)
            loss = tf.reduce_mean(self.crf.negative_log_likelihood(emissions, tag_ids, lengths))
        gradients = tape.gradient(loss, [variable.value for variable in self._variables])
        gradients, _ = tf.clip_by_global_norm(gradients, self._clip)
        self.optimizer.apply(gradients, self._variables)
        return loss

    def _emit(self, rows: Any, lengths: Any) -> Any:
        return self.network(rows, lengths, training=False)

    def weights(self) -> list[Any]:
        return [variable.numpy() for variable in self._variables]

    def restore(self, weights: Sequence[Any]) -> None:
        for variable, value in zip(self._variables, weights, strict=True):
            variable.assign(value)


def fit_bilstm_crf(
    parameters: Mapping[str, Any],
    train: Sequence[LabelledText],
    dev: Sequence[LabelledText],
    labels: Sequence[str],
    folder: Path,
    report: Report,
    should_stop: ShouldStop,
) -> Fitted:
    """Train, keep the weights of the epoch that scored best on dev, and write `model.onnx`, `crf.json` and
    `vocabulary.json`.

    Raises RunCancelled when `should_stop` says so, and NerError when the ONNX model does not answer as Keras does.
    """
    settings = Parameters(**parameters)
    keras.utils.set_random_seed(settings.seed)
    cuts = cut_documents(train, labels), cut_documents(dev, labels)
    vocabulary = build_vocabulary(
        (word for sentence in cuts[0].sentences for word in sentence.words),
        word_count=settings.word_count,
        piece_count=settings.piece_count,
    )
    tags = tag_names(labels)
    featuriser = Featuriser(vocabulary)
    parts = [_Part(cut, number_sentences(cut.sentences, tags, featuriser)) for cut in cuts]
    model = _Model(vocabulary, tags, settings)
    try:
        history = _train(model, settings, parts[0], parts[1], report, should_stop)
        vocabulary.save(folder / "vocabulary.json")
        model.crf.learned().save(folder / "crf.json")
        export_network(model.network, folder / "model.onnx")
        parity = _prove(model, folder, parts)
    finally:
        del model
        keras.backend.clear_session()
        gc.collect()
    return Fitted(
        backend="onnx",
        confidence_kind="crf_marginal",
        history=history,
        vocabulary=set(vocabulary.words),
        misaligned={"train": cuts[0].misaligned, "dev": cuts[1].misaligned},
        parity=parity,
    )


def _train(
    model: _Model, settings: Parameters, train: _Part, dev: _Part, report: Report, should_stop: ShouldStop
) -> list[dict[str, float]]:
    """Epochs until the dev score has not risen for `patience` of them; the best weights are put back."""
    random = np.random.default_rng(settings.seed)
    history: list[dict[str, float]] = []
    best: tuple[int, float, list[Any]] = (0, -1.0, [])
    for epoch in range(1, settings.epochs + 1):
        started = time.monotonic()
        loss = _run_epoch(model, settings, train.corpus, epoch, random, should_stop)
        score = score_on(model, dev)
        seconds = time.monotonic() - started
        history.append({"epoch": epoch, "loss": loss, "f1": score.f1, "seconds": seconds})
        spent = sum(item["seconds"] for item in history)
        report(Epoch(epoch, settings.epochs, loss, score.f1, seconds, spent / epoch * (settings.epochs - epoch)))
        if score.f1 > best[1]:
            best = epoch, score.f1, model.weights()
        elif epoch - best[0] >= settings.patience:
            break
    model.restore(best[2])
    return history


def _run_epoch(
    model: _Model,
    settings: Parameters,
    corpus: Corpus,
    epoch: int,
    random: np.random.Generator,
    should_stop: ShouldStop,
) -> float:
    """One pass; the mean loss per sentence."""
    size = batch_size(len(corpus), settings.batch_size)
    steps = batch_count(corpus, size)
    total = 0.0
    batches = epoch_batches(corpus, size, random, word_dropout=settings.word_dropout)
    for number, batch in enumerate(batches):
        if should_stop():
            raise RunCancelled("The run was cancelled.")
        done = (epoch - 1 + number / steps) / settings.epochs
        model.optimizer.learning_rate.assign(settings.learning_rate * rate_at(done, settings.warmup))
        loss = float(model.step(batch.rows, batch.tags, batch.lengths))
        total += loss * len(batch.lengths)
    return total / len(corpus)


def batch_size(sentences: int, largest: int) -> int:
    """At most `largest`; less on a small corpus, so that an epoch is some hundred updates and not a handful."""
    return min(largest, max(_SMALLEST_BATCH, sentences // _UPDATES_PER_EPOCH))


def rate_at(done: float, warmup: float) -> float:
    """Share of the highest learning rate when a share `done` of all steps is behind: up to 1, then down to 0."""
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)


def score_on(model: _Model, part: _Part) -> Score:
    """Strict score; spans that the sentences could not take up count as missed."""
    crf = model.crf.learned()
    correct = predicted = 0
    for batch in even_batches(part.corpus, _EVALUATION_BATCH):
        emissions = model.emit(batch.rows, batch.lengths).numpy()
        for path, length, place in zip(
            best_tags(crf, emissions, batch.lengths), batch.lengths, batch.places, strict=True
        ):
            found = decode_tags([crf.tags[tag] for tag in path[:length]])
            predicted += len(found)
            correct += len(set(found) & set(part.cut.sentences[place].spans))
    return score_of(correct, predicted, part.cut.entities)


def _prove(model: _Model, folder: Path, parts: Sequence[_Part]) -> dict[str, Any]:
    """Compare with the exported files on dev sentences, and train sentences where those are too few."""
    batches: list[Batch] = []
    for part in reversed(parts):
        missing = _PARITY_SENTENCES - sum(len(batch.lengths) for batch in batches)
        if missing > 0:
            batches.extend(even_batches(part.corpus.sample(missing), _EVALUATION_BATCH))
    parity = compare_with_onnx(lambda batch: model.emit(batch.rows, batch.lengths).numpy(), folder, batches)
    if not parity["identical"]:
        raise NerError(
            f"The exported model does not answer as the trained one: scores differ by up to "
            f"{parity['largest_difference']:.2g}, tags in {parity['sentences_with_other_tags']} sentences.",
            **parity,
        )
    return parity
