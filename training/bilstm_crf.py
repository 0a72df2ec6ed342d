"""The recipe `bilstm_crf.v1`: BiLSTM-CRFs in Keras, trained from nothing and kept as one ONNX graph."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ner.errors import NerError, RunCancelled
from ner.scoring import Score, score_of
from ner.tags import decode_tags, tag_names
from registry.crf import best_tags
from registry.features import Featuriser, build_vocabulary
from training.batches import Batch, Corpus, batch_count, epoch_batches, even_batches, number_sentences
from training.calibrating import CalibrationFit, Scored, fit_calibration
from training.course import Course
from training.fitted import Fitted, Lesson, ShouldStop
from training.judged_batches import judged_counts, spread
from training.judged_loss import judgements_of
from training.learner import Committee, Learner, Parameters
from training.onnx_export import export_networks
from training.parity import compare_with_onnx
from training.schedule import epoch_count, member_count, rate_at
from training.sentences import CutDocuments, Sentence, cut_documents, cut_judged

_EVALUATION_BATCH = 128
_PARITY_SENTENCES = 1000
_SMALLEST_BATCH, _USUAL_BATCH = 4, 16
_FEWEST_UPDATES, _MOST_UPDATES = 100, 1000
"""Of an epoch, roughly, where the batch may have any size."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the data, cut and numbered."""

    cut: CutDocuments
    corpus: Corpus


@dataclass(frozen=True, slots=True)
class _Judged:
    """Sentences of which only single spans are known, and the same numbered."""

    sentences: list[Sentence]
    corpus: Corpus


def fit_bilstm_crf(lesson: Lesson) -> Fitted:
    """Train the members one after another, and write `model.onnx`, the same in two halves for serving, `crf.json`,
    `vocabulary.json` and `calibration.json`. Goes on after its last epoch when it was killed. See `Fitter`.
    """
    labels, folder = lesson.labels, lesson.folder
    cuts = cut_documents(lesson.train, labels), cut_documents(lesson.dev, labels)
    settings = Parameters(**lesson.parameters)
    size = len(cuts[0].sentences)
    settings = replace(
        settings, epochs=epoch_count(size, settings.epochs), members=member_count(size, settings.members)
    )
    vocabulary = build_vocabulary(
        (word for sentence in cuts[0].sentences for word in sentence.words),
        word_count=settings.word_count,
        piece_count=settings.piece_count,
    )
    tags = tag_names(labels)
    featuriser = Featuriser(vocabulary)
    sentences = cut_judged(lesson.judged, labels)
    # Numbered together, so that a word that is common in either is seldom hidden.
    numbered = number_sentences([*cuts[0].sentences, *sentences], tags, featuriser)
    judged = _Judged(sentences, numbered.part(size, size + len(sentences)))
    parts = [
        _Part(cuts[0], numbered.part(0, size)),
        _Part(cuts[1], number_sentences(cuts[1].sentences, tags, featuriser)),
    ]
    course = Course(
        lesson, epochs=settings.epochs, patience=settings.patience, seed=settings.seed, members=settings.members
    )
    members: list[Learner] = []
    try:
        for number in range(settings.members):
            keras.utils.set_random_seed(settings.seed + number)
            members.append(Learner(vocabulary, tags, settings))
            _train(course, number, members[-1], settings, parts, judged, lesson.should_stop)
        committee = Committee(members)
        vocabulary.save(folder / "vocabulary.json")
        committee.crf.save(folder / "crf.json")
        export_networks([member.network for member in members], folder)
        parity = _prove(committee, folder, parts)
        calibration = _calibrate(committee, parts[1])
        calibration.calibration.save(folder)
    finally:
        members.clear()
        keras.backend.clear_session()
        gc.collect()
    return Fitted(
        backend="onnx",
        confidence_kind="calibrated_crf_marginal",
        history=course.history,
        vocabulary=set(vocabulary.words),
        misaligned={"train": cuts[0].misaligned, "dev": cuts[1].misaligned},
        parity=parity,
        calibration=calibration.summary(),
        judged=judged_counts(judged.sentences),
    )


def _train(
    course: Course,
    member: int,
    learner: Learner,
    settings: Parameters,
    parts: Sequence[_Part],
    judged: _Judged,
    should_stop: ShouldStop,
) -> None:
    train, dev = parts

    def learn(epoch: int, random: np.random.Generator) -> float:
        return _run_epoch(learner, settings, train.corpus, judged, epoch, random, should_stop)

    def score() -> float:
        with learner.averaged():
            return score_on(learner, dev).f1

    course.run(member, learner, learn, score)


def _run_epoch(
    learner: Learner,
    settings: Parameters,
    corpus: Corpus,
    judged: _Judged,
    epoch: int,
    random: np.random.Generator,
    should_stop: ShouldStop,
) -> float:
    """One pass, judged sentences in batches of their own between the others; the mean loss per sentence."""
    size = batch_size(len(corpus), settings.batch_size)
    steps = batch_count(corpus, size) + batch_count(judged.corpus, size)
    total = 0.0
    batches = _mixed(corpus, judged, size, random, settings.word_dropout)
    for number, (batch, is_judged) in enumerate(batches):
        if should_stop():
            raise RunCancelled("The run was cancelled.")
        done = (epoch - 1 + number / steps) / settings.epochs
        rate = settings.learning_rate * rate_at(done, settings.warmup)
        if is_judged:
            chosen = [judged.sentences[place] for place in batch.places]
            loss = learner.learn_judged(batch, judgements_of(chosen, learner.crf.tags, batch.rows.shape[1]), rate)
        else:
            loss = learner.learn(batch, rate)
        total += loss * len(batch.lengths)
    return total / (len(corpus) + len(judged.sentences))


def _mixed(
    corpus: Corpus, judged: _Judged, size: int, random: np.random.Generator, word_dropout: float
) -> Iterator[tuple[Batch, bool]]:
    """The batches of one pass, and whether they are of judged sentences."""
    whole = epoch_batches(corpus, size, random, word_dropout=word_dropout)
    partial = epoch_batches(judged.corpus, size, random, word_dropout=word_dropout) if judged.sentences else iter(())
    return spread(whole, partial, batch_count(corpus, size), batch_count(judged.corpus, size))


def batch_size(sentences: int, largest: int) -> int:
    """At most `largest`; less on a small corpus, so that an epoch is some hundred updates and not a handful."""
    small = min(_USUAL_BATCH, max(_SMALLEST_BATCH, sentences // _FEWEST_UPDATES))
    return min(largest, max(small, sentences // _MOST_UPDATES))


def score_on(learner: Learner, part: _Part) -> Score:
    """Strict score; spans that the sentences could not take up count as missed."""
    crf = learner.crf
    correct = predicted = 0
    for batch in even_batches(part.corpus, _EVALUATION_BATCH):
        emissions = learner.emit(batch)
        for path, length, place in zip(
            best_tags(crf, emissions, batch.lengths), batch.lengths, batch.places, strict=True
        ):
            found = decode_tags([crf.tags[tag] for tag in path[:length]])
            predicted += len(found)
            correct += len(set(found) & set(part.cut.sentences[place].spans))
    return score_of(correct, predicted, part.cut.entities)


def _calibrate(committee: Committee, dev: _Part) -> CalibrationFit:
    batches = (
        Scored(committee.emit(batch), batch.lengths, [dev.cut.sentences[place].spans for place in batch.places])
        for batch in even_batches(dev.corpus, _EVALUATION_BATCH)
    )
    return fit_calibration(committee.crf, list(batches))


def _prove(committee: Committee, folder: Path, parts: Sequence[_Part]) -> dict[str, Any]:
    """Compare with the exported files on dev sentences, and train sentences where those are too few."""
    batches: list[Batch] = []
    for part in reversed(parts):
        missing = _PARITY_SENTENCES - sum(len(batch.lengths) for batch in batches)
        if missing > 0:
            batches.extend(even_batches(part.corpus.sample(missing), _EVALUATION_BATCH))
    parity = compare_with_onnx(committee.emit, folder, batches)
    if not parity["identical"]:
        raise NerError(
            f"The exported model does not answer as the trained one: scores differ by up to "
            f"{parity['largest_difference']:.2g}, tags in {parity['sentences_with_other_tags']} sentences.",
            **parity,
        )
    return parity
