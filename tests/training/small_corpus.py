"""Some two hundred short sentences that a tiny network learns within seconds."""

import json
import random
from pathlib import Path

from annotation.imports import import_file
from ner.database import Database
from ner.documents import EntitySpan, LabelledText

TINY = {
    "epochs": 12,
    "patience": 12,
    "members": 1,
    "batch_size": 16,
    "learning_rate": 0.01,
    "word_dimension": 16,
    "piece_dimension": 4,
    "character_dimension": 8,
    "character_filters": 8,
    "lstm_units": 12,
    "word_count": 1,
    "piece_count": 1,
    "word_dropout": 0.1,
    "input_dropout": 0.3,
    "token_dropout": 0.0,
    "averaging": 0.9,
}
_FRAMES = (
    "{per} lives in {geo} .",
    "{per} met {per} in {geo} on {tim} .",
    "On {tim} the rain reached {geo} .",
    "Nobody in {geo} had heard of {per} .",
    "{per} will travel from {geo} to {geo} .",
    "The train to {geo} left on {tim} .",
)
_NAMES = {
    "per": ("Ada Byron", "Alan Moss", "Grace Hill", "Ida Rhodes", "Klara Dan", "Mary Ware", "Tom Reed", "Jean Bart"),
    "geo": ("Oslo", "Lisbon", "New Delhi", "Quito", "Lake Como", "Cape Town", "Bergen", "Kyoto", "Porto", "Leeds"),
    "tim": ("Monday", "Tuesday", "Friday", "Sunday", "New Year", "Thursday"),
}


def small_corpus(documents: int = 220, seed: int = 7) -> list[LabelledText]:
    """Different sentences with the labels per, geo and tim; the same for the same seed."""
    choose = random.Random(seed)
    found: dict[str, LabelledText] = {}
    while len(found) < documents:
        sentence = _fill(choose.choice(_FRAMES), choose)
        found[sentence.text] = sentence
    return list(found.values())


def import_corpus(database: Database, folder: Path, corpus: list[LabelledText], dataset: str = "news") -> None:
    """Import the corpus as a JSONL file, as a person would."""
    path = folder / f"{dataset}.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for document in corpus:
            spans = [{"start": s.start, "end": s.end, "label": s.label} for s in document.spans]
            stream.write(json.dumps({"text": document.text, "spans": spans}) + "\n")
    with database.transaction() as connection:
        import_file(connection, path, dataset=dataset, actor="ada")


def _fill(frame: str, choose: random.Random) -> LabelledText:
    text, spans = "", []
    for word in frame.split():
        text += " " if text else ""
        label = word.strip("{}")
        surface = choose.choice(_NAMES[label]) if label in _NAMES else word
        if label in _NAMES:
            spans.append(EntitySpan(len(text), len(text) + len(surface), label))
        text += surface
    return LabelledText(text, tuple(spans))
