"""The recipe `spacy_cnn.v1`: spaCy's entity recogniser over a convolutional network, through spaCy's own config."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc, DocBin, Span
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_evaluation_callback, create_train_batches, train_while_improving
from spacy.util import load_config, registry, resolve_dot_names
from spacy.vocab import Vocab
from thinc.api import Config, Optimizer

from ner.errors import RunCancelled
from registry.features import build_vocabulary
from training.fitted import Epoch, Fitted, Lesson, Report, ShouldStop
from training.schedule import epoch_count
from training.sentences import Sentence, cut_documents

_FEWEST_WORDS, _FEWEST_UPDATES = 50, 100


def fit_spacy_cnn(lesson: Lesson) -> Fitted:
    """Train, and write `spacy/` and `vocabulary.json`. See `Fitter`.

    An "epoch" is as many updates as one pass takes; dev is evaluated after each. spaCy's loop cannot be entered in its
    middle (its shuffles and averages are its own), so a training that was killed starts again from its beginning.
    """
    parameters, labels, folder = lesson.parameters, lesson.labels, lesson.folder
    cut = {"train": cut_documents(lesson.train, labels), "dev": cut_documents(lesson.dev, labels)}
    vocabulary = build_vocabulary(word for sentence in cut["train"].sentences for word in sentence.words)
    with tempfile.TemporaryDirectory() as scratch:
        paths = {name: Path(scratch) / f"{name}.spacy" for name in cut}
        for name, part in cut.items():
            _write_corpus(part.sentences, paths[name])
        pace = _pace(parameters, cut["train"].sentences)
        language = init_nlp(_config(parameters, paths, pace))
        history = _train(language, pace, folder / "spacy", lesson.report, lesson.should_stop)
    vocabulary.save(folder / "vocabulary.json")
    return Fitted(
        backend="spacy",
        confidence_kind="softmax",
        history=history,
        vocabulary=set(vocabulary.words),
        misaligned={name: part.misaligned for name, part in cut.items()},
    )


@dataclass(frozen=True, slots=True)
class _Pace:
    """How many updates of how many words make an epoch, and how many epochs there are at most."""

    batch_words: int
    steps: int
    epochs: int
    sentences: int


def _pace(parameters: Mapping[str, Any], sentences: Sequence[Sentence]) -> _Pace:
    words = sum(len(sentence.words) for sentence in sentences)
    # Less than asked on a small corpus, so that an epoch is some hundred updates and not a handful.
    size = min(parameters["batch_words"], max(_FEWEST_WORDS, words // _FEWEST_UPDATES))
    epochs = epoch_count(len(sentences), parameters["epochs"])
    return _Pace(size, max(1, round(words / size)), epochs, len(sentences))


def _config(parameters: Mapping[str, Any], paths: Mapping[str, Path], pace: _Pace) -> Config:
    """The config with the recipe's parameters in it."""
    overrides = {
        **{f"paths.{name}": str(path) for name, path in paths.items()},
        "components.ner.model.tok2vec.encode.width": parameters["width"],
        "components.ner.model.tok2vec.encode.depth": parameters["depth"],
        "training.seed": parameters["seed"],
        "training.dropout": parameters["dropout"],
        "training.patience": parameters["patience"] * pace.steps,
        "training.max_steps": pace.epochs * pace.steps,
        "training.eval_frequency": pace.steps,
        "training.batcher.size": pace.batch_words,
        "training.optimizer.learn_rate": parameters["learning_rate"],
    }
    config: Config = load_config(Path(__file__).with_suffix(".cfg"), overrides=overrides)
    return config


def _write_corpus(sentences: Sequence[Sentence], path: Path) -> None:
    vocab = Vocab()
    corpus = DocBin()
    for sentence in sentences:
        doc = Doc(vocab, words=sentence.words)
        doc.set_ents([Span(doc, first, end, label) for first, end, label in sentence.spans], default="outside")
        corpus.add(doc)
    corpus.to_disk(path)


def _train(
    language: Language, pace: _Pace, folder: Path, report: Report, should_stop: ShouldStop
) -> list[dict[str, float]]:
    """spaCy's training loop, with the pipeline written to `folder` whenever it scores better than before."""
    history: list[dict[str, float]] = []
    started = time.monotonic()
    optimizer, steps = _training_steps(language)
    for _, state, is_best in steps:
        if should_stop():
            raise RunCancelled("The run was cancelled.")
        # spaCy evaluates before the second update too, which says nothing yet.
        if is_best is None or state["step"] == 0:
            continue
        epoch, now = state["step"] // pace.steps, time.monotonic()
        loss = float(state["losses"]["ner"]) / pace.sentences
        history.append({"epoch": epoch, "loss": loss, "f1": float(state["score"]), "seconds": now - started})
        spent = sum(item["seconds"] for item in history)
        left = spent / epoch * (pace.epochs - epoch)
        report(Epoch(epoch, pace.epochs, loss, float(state["score"]), now - started, left))
        started = now
        if is_best:
            with language.use_params(optimizer.averages):
                language.to_disk(folder)
    return history


def _training_steps(language: Language) -> tuple[Optimizer, Iterator[tuple[Any, dict[str, Any], bool | None]]]:
    config = language.config.interpolate()
    training = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    train_corpus, dev_corpus = resolve_dot_names(config, [training["train_corpus"], training["dev_corpus"]])
    # What is stored must not name folders of this run.
    language.config = Config(language.config | {"paths": dict.fromkeys(language.config["paths"])})
    steps = train_while_improving(
        language,
        training["optimizer"],
        create_train_batches(language, train_corpus, training["batcher"], training["max_epochs"]),
        create_evaluation_callback(language, dev_corpus, training["score_weights"]),
        dropout=training["dropout"],
        eval_frequency=training["eval_frequency"],
        accumulate_gradient=training["accumulate_gradient"],
        patience=training["patience"],
        max_steps=training["max_steps"],
        exclude=training["frozen_components"],
        annotating_components=training["annotating_components"],
        before_update=training["before_update"],
    )
    return training["optimizer"], steps
