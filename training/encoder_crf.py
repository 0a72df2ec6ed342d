"""The recipe `encoder_crf.v1`: a pretrained encoder through KerasHub, fine-tuned with a CRF, kept as ONNX."""

import gc
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
from numpy.typing import NDArray

from ner.errors import NerError, RunCancelled
from ner.scoring import Score, score_of
from ner.tags import decode_tags, encode_tags, tag_names
from registry.crf import best_tags
from registry.features import build_vocabulary
from registry.onnx_tagger import open_session
from training.calibrating import Scored, fit_calibration
from training.checkpoints import Arrays
from training.course import Course
from training.crf_layer import CrfLayer
from training.encoder_export import export_encoder
from training.encoder_network import EncodedBatch, Encoder, EncoderNetwork, Pieces, cut_pieces, load_encoder, pad_batch
from training.fitted import Fitted, Lesson
from training.judged_batches import judged_counts, spread
from training.judged_loss import Judgements, judged_loss, judgements_of
from training.optimizer import SparseAdam
from training.parity import LARGEST_DIFFERENCE
from training.schedule import rate_at
from training.sentences import Sentence, cut_documents, cut_judged

_POOL = 32
_EVALUATION_BATCH = 64
_PARITY_SENTENCES = 200
_MATRIX = tf.TensorSpec([None, None], tf.int32)
_PLACES = tf.TensorSpec([None, None, None], tf.int32)
_FLAGS = tf.TensorSpec([None, None, None], tf.float32)
_VECTOR = tf.TensorSpec([None], tf.int32)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The recipe's hyper-parameters; `head_learning_rate` is that of everything above the encoder."""

    encoder: str
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    head_learning_rate: float
    warmup: float
    gradient_clip: float
    case_dimension: int
    dropout: float
    seed: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Sentences, and the same as the encoder reads them. Of judged ones the tags say nothing."""

    sentences: list[Sentence]
    pieces: list[Pieces]
    tags: list[list[int]]

    def batches(self, size: int, random: np.random.Generator | None = None) -> Iterator[EncodedBatch]:
        """Batches of similar length; in random order where there is a generator."""
        order = random.permutation(len(self.pieces)) if random is not None else np.arange(len(self.pieces))
        pool = _POOL * size if random is not None else max(1, len(order))
        pools = [order[first : first + pool] for first in range(0, len(order), pool)]
        sizes = np.array([len(one.ids) for one in self.pieces])
        ranked = [pool[np.argsort(sizes[pool], kind="stable")] for pool in pools]
        cuts = [pool[first : first + size] for pool in ranked for first in range(0, len(pool), size)]
        for number in random.permutation(len(cuts)) if random is not None else range(len(cuts)):
            yield pad_batch(self.pieces, self.tags, [int(place) for place in cuts[number]])


class _Model:
    """The network, its CRF, and the two compiled functions over them."""

    def __init__(self, encoder: Encoder, tags: Sequence[str], settings: Parameters) -> None:
        self.network = EncoderNetwork(
            encoder.backbone, len(tags), dropout=settings.dropout, case_dimension=settings.case_dimension
        )
        self.crf = CrfLayer(tags, name="crf")
        self.crf.build(None)
        nothing = np.ones((1, 2), np.int32)
        self.network(nothing, nothing, nothing)
        # The pooled output of the encoder is not used, so its weights have no gradient.
        body = [one for one in encoder.backbone.trainable_variables if not one.path.startswith("pooled")]
        below = {id(one) for one in encoder.backbone.variables}
        head = [one for one in self.network.trainable_variables if id(one) not in below]
        self._groups = [body, [*head, *self.crf.trainable_variables]]
        self._optimizers = [SparseAdam(settings.learning_rate), SparseAdam(settings.head_learning_rate)]
        for optimizer, group in zip(self._optimizers, self._groups, strict=True):
            optimizer.build(group)
        self._rates = (settings.learning_rate, settings.head_learning_rate)
        self._clip = settings.gradient_clip
        self._step = tf.function(self._learn_whole, input_signature=[*[_MATRIX] * 5, _VECTOR])
        allowed = tf.TensorSpec([None, None, len(tags)], tf.float32)
        judged = [allowed, _PLACES, _FLAGS, _FLAGS]
        self._judged_step = tf.function(self._learn_judged, input_signature=[*[_MATRIX] * 4, _VECTOR, *judged])
        self._logits = tf.function(self._score, input_signature=[_MATRIX] * 3)

    def learn(self, batch: EncodedBatch, share: float) -> float:
        """One update at `share` of the learning rates; the mean loss of the batch's sentences, in nats."""
        self._slow_down(share)
        return float(self._step(batch.ids, batch.mask, batch.cases, batch.firsts, batch.tags, batch.lengths))

    def learn_judged(self, batch: EncodedBatch, judged: Judgements, share: float) -> float:
        """The same by sentences of which only single spans are known."""
        self._slow_down(share)
        parts = judged.allowed, judged.entries, judged.ends, judged.lasts
        return float(self._judged_step(batch.ids, batch.mask, batch.cases, batch.firsts, batch.lengths, *parts))

    def _slow_down(self, share: float) -> None:
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.learning_rate.assign(share * rate)

    def logits(self, batch: EncodedBatch) -> NDArray[np.float32]:
        """Scores of tags for each piece, (batch, pieces, tags)."""
        scores: NDArray[np.float32] = self._logits(batch.ids, batch.mask, batch.cases).numpy()
        return scores

    def emit(self, batch: EncodedBatch) -> NDArray[np.float32]:
        """Scores of tags for each word, (batch, words, tags)."""
        return np.take_along_axis(self.logits(batch), batch.firsts[:, :, None], axis=1)

    def candidate(self) -> Arrays:
        return [variable.numpy() for group in self._groups for variable in group]

    def state(self) -> Arrays:
        return [variable.numpy() for variable in self._everything()]

    def resume(self, state: Sequence[Any]) -> None:
        for variable, value in zip(self._everything(), state, strict=True):
            variable.assign(value)

    def restore(self, weights: Sequence[Any]) -> None:
        variables = [variable for group in self._groups for variable in group]
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def _everything(self) -> list[Any]:
        moments = [variable for optimizer in self._optimizers for variable in optimizer.variables]
        return [*self.network.variables, *self.crf.variables, *moments]

    def _learn_whole(self, ids: Any, mask: Any, cases: Any, firsts: Any, tag_ids: Any, lengths: Any) -> Any:
        with tf.GradientTape() as tape:
            emissions = tf.gather(self.network(ids, mask, cases, training=True), firsts, batch_dims=1)
            loss = tf.reduce_mean(self.crf.negative_log_likelihood(emissions, tag_ids, lengths))
        self._update(tape, loss)
        return loss

    def _learn_judged(self, ids: Any, mask: Any, cases: Any, firsts: Any, lengths: Any, *judged: Any) -> Any:
        with tf.GradientTape() as tape:
            emissions = tf.gather(self.network(ids, mask, cases, training=True), firsts, batch_dims=1)
            loss = tf.reduce_mean(judged_loss(self.crf, emissions, lengths, *judged))
        self._update(tape, loss)
        return loss

    def _update(self, tape: Any, loss: Any) -> None:
        body, head = self._groups
        gradients = tape.gradient(loss, [variable.value for variable in [*body, *head]])
        gradients, _ = tf.clip_by_global_norm(gradients, self._clip)
        self._optimizers[0].apply(gradients[: len(body)], body)
        self._optimizers[1].apply(gradients[len(body) :], head)

    def _score(self, ids: Any, mask: Any, cases: Any) -> Any:
        return self.network(ids, mask, cases, training=False)


def fit_encoder_crf(lesson: Lesson) -> Fitted:
    """Fine-tune, and write `model.onnx`, `tokenizer.json`, `config.json`, `crf.json` and `calibration.json`. Goes on
    after its last epoch when it was killed. See `Fitter`.
    """
    labels, folder = lesson.labels, lesson.folder
    settings = Parameters(**lesson.parameters)
    keras.utils.set_random_seed(settings.seed)
    encoder, tags = load_encoder(settings.encoder), tag_names(labels)
    train_cut, dev_cut = (cut_documents(part, labels) for part in (lesson.train, lesson.dev))
    sentences = train_cut.sentences, cut_judged(lesson.judged, labels), dev_cut.sentences
    parts = [_prepare(encoder, part, tags) for part in sentences]
    judged_part, dev_part = parts[1:]
    vocabulary = build_vocabulary(word for sentence in train_cut.sentences for word in sentence.words)
    model = _Model(encoder, tags, settings)
    try:
        history = _train(model, settings, parts, dev_cut.entities, lesson)
        crf = model.crf.learned()
        crf.save(folder / "crf.json")
        export_encoder(model.network, folder / "model.onnx")
        shutil.copyfile(encoder.tokenizer_file, folder / "tokenizer.json")
        config = {"max_position_embeddings": encoder.positions, "id2label": dict(enumerate(tags))}
        (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        parity = _prove(model, open_session(folder / "model.onnx"), dev_part)
        scored = [
            Scored(model.emit(batch), batch.lengths, [dev_part.sentences[place].spans for place in batch.places])
            for batch in dev_part.batches(_EVALUATION_BATCH)
        ]
        calibration = fit_calibration(crf, scored)
        calibration.calibration.save(folder)
    finally:
        del model
        keras.backend.clear_session()
        gc.collect()
    return Fitted(
        backend="onnx_encoder",
        confidence_kind="calibrated_crf_marginal",
        history=history,
        vocabulary=set(vocabulary.words),
        misaligned={"train": train_cut.misaligned, "dev": dev_cut.misaligned},
        parity=parity,
        calibration=calibration.summary(),
        judged=judged_counts(judged_part.sentences),
    )


def _prepare(encoder: Encoder, sentences: list[Sentence], tags: Sequence[str]) -> _Part:
    ids = {tag: number for number, tag in enumerate(tags)}
    pieces = [cut_pieces(encoder, sentence.words) for sentence in sentences]
    named = [encode_tags(len(sentence.words), sentence.spans) for sentence in sentences]
    return _Part(sentences, pieces, [[ids[tag] for tag in row] for row in named])


def _train(
    model: _Model, settings: Parameters, parts: Sequence[_Part], entities: int, lesson: Lesson
) -> list[dict[str, float]]:
    """Learn from the first two parts, judged by the third, which holds so many `entities`."""
    train, judged, dev = parts
    count = len(train.pieces) + len(judged.pieces)

    def learn(epoch: int, random: np.random.Generator) -> float:
        total, seen = 0.0, 0
        whole, partial = (list(part.batches(settings.batch_size, random)) for part in (train, judged))
        for batch, is_judged in spread(iter(whole), iter(partial), len(whole), len(partial)):
            if lesson.should_stop():
                raise RunCancelled("The run was cancelled.")
            share = rate_at((epoch - 1 + seen / count) / settings.epochs, settings.warmup)
            total += _learn(model, batch, share, judged if is_judged else None) * len(batch.places)
            seen += len(batch.places)
        return total / max(1, seen)

    course = Course(lesson, epochs=settings.epochs, patience=settings.patience, seed=settings.seed)
    course.run(0, model, learn, lambda: _score_on(model, dev, entities).f1)
    return course.history


def _learn(model: _Model, batch: EncodedBatch, share: float, judged: _Part | None) -> float:
    if judged is None:
        return model.learn(batch, share)
    chosen = [judged.sentences[place] for place in batch.places]
    return model.learn_judged(batch, judgements_of(chosen, model.crf.tags, batch.firsts.shape[1]), share)


def _score_on(model: _Model, part: _Part, entities: int) -> Score:
    crf = model.crf.learned()
    correct = predicted = 0
    for batch in part.batches(_EVALUATION_BATCH):
        paths = best_tags(crf, model.emit(batch), batch.lengths)
        for path, length, place in zip(paths, batch.lengths, batch.places, strict=True):
            found = decode_tags([crf.tags[tag] for tag in path[:length]])
            predicted += len(found)
            correct += len(set(found) & set(part.sentences[place].spans))
    return score_of(correct, predicted, entities)


def _prove(model: _Model, session: onnxruntime.InferenceSession, part: _Part) -> dict[str, Any]:
    """Scores of the exported graph beside those of the network, on padded batches of dev sentences."""
    difference, sentences = 0.0, 0
    for batch in part.batches(_EVALUATION_BATCH):
        if sentences >= _PARITY_SENTENCES:
            break
        columns = {"input_ids": batch.ids, "attention_mask": batch.mask, "word_case": batch.cases}
        served = session.run(None, {name: column.astype(np.int64) for name, column in columns.items()})[0]
        gaps = np.abs(served - model.logits(batch))[batch.mask.astype(bool)]
        difference, sentences = max(difference, float(gaps.max())), sentences + len(batch.places)
    if difference > LARGEST_DIFFERENCE:
        raise NerError(f"The exported encoder does not answer as the trained one: scores differ by {difference:.2g}.")
    return {"sentences": sentences, "largest_difference": difference, "identical": True}
