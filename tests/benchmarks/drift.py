"""How often the drift verdict is false, how much foreign text it notices, and what it costs.

    make bench-drift CORPORA=folder
    python -m tests.benchmarks.drift FOLDER [--rounds 400]

Words that occur in 20,000 sentences of GMB are known. Of the others 6,000 are profiled and traffic is drawn, with
copies, from the rest; twenty such divisions take turns, so that no single profile decides the figures. No model
answers: the measures that follow from words alone are judged (text length, unknown words, vocabulary overlap, foreign
texts), on what the log of traffic holds of each text, thinned as the page thins it.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annotation.formats import read_file
from dashboards.domain import foreign_share
from dashboards.drift import judged_measures
from dashboards.profile import build_profile
from dashboards.windows import MOST_DOCUMENTS, tagged_window
from ner.predictions import Tagged
from registry.features import word_hash
from registry.reading import Reading, read_text
from tests.benchmarks.drift_page import write_page

Documents = Sequence[tuple[str, Tagged]]
World = tuple[dict[str, Any], Documents]
"""A profile, and the documents that traffic is drawn from."""

GMB = "gmb/ner_dataset.csv.gz"
FOREIGN = {
    "CrossNER": tuple(f"crossner/{d}/{p}.txt" for d in ("literature", "music", "science") for p in ("dev", "test")),
    "WNUT 17": ("wnut17/wnut17train.conll",),
    "German (GermEval 2014)": ("germeval2014/NER-de-test.tsv",),
}
VOLUMES = (50, 300, 1_000, 10_000, 92_000)
MIXTURES = (0.02, 0.05, 0.10, 0.20)
KNOWN, PROFILED, TRAFFIC = 20_000, 6_000, 1_000
DIVISIONS = 20


def main() -> None:
    """Measure, and write docs/benchmarks-drift.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks-drift.md"))
    arguments = parser.parse_args()
    texts = read_texts(arguments.folder, (GMB,))
    random.Random(0).shuffle(texts)
    readings = [read_text(text) for text in texts]
    known = {word_hash(word) for reading in readings[:KNOWN] for word in reading.surfaces}
    home = [as_logged(text, reading, known) for text, reading in zip(texts[KNOWN:], readings[KNOWN:], strict=True)]
    worlds = [divided(seed, home, known) for seed in range(DIVISIONS)]
    rounds = arguments.rounds
    figures: dict[str, Any] = {"rounds": rounds, "divisions": DIVISIONS, "false": {}, "noticed": {}, "load": []}
    for volume in VOLUMES:
        figures["false"][volume] = tally(worlds, [partial(unchanged, seed, volume) for seed in range(rounds)])
        print(volume, figures["false"][volume], flush=True)
    for name, files in FOREIGN.items():
        foreign = [as_logged(text, read_text(text), known) for text in read_texts(arguments.folder, files)]
        for mixture in MIXTURES:
            draws = [partial(mixed, seed, foreign, mixture) for seed in range(rounds)]
            figures["noticed"][name, mixture] = tally(worlds, draws)
            print(name, mixture, figures["noticed"][name, mixture], flush=True)
    profile, traffic = worlds[0]
    figures["seconds"] = seconds_for(traffic[:10_000], profile)
    figures["load"] = os.getloadavg()[0]
    write_page(arguments.page, figures)


def read_texts(folder: Path, files: Sequence[str]) -> list[str]:
    """The texts of some files."""
    return [document.text for file in files for document in read_file(folder / file).documents]


def as_logged(text: str, reading: Reading, known: set[int]) -> tuple[str, Tagged]:
    """What is kept of a text that a version with these known words has read, had it found no entity."""
    return text, reading.answer((), np.array([word_hash(word) in known for word in reading.surfaces], bool))


def divided(seed: int, home: Documents, known: set[int]) -> World:
    """A profile of some documents, and the others."""
    shuffled = random.Random(seed).sample(home, len(home))
    profiled = shuffled[:PROFILED]
    return build_profile([text for text, _ in profiled], [tagged for _, tagged in profiled], known), shuffled[PROFILED:]


def unchanged(seed: int, volume: int, traffic: Documents) -> list[tuple[str, Tagged]]:
    """What is read of a day of `volume` texts, none of which is foreign."""
    return thinned(random.Random(seed).choices(traffic, k=volume))


def mixed(seed: int, foreign: Documents, share: float, traffic: Documents) -> list[tuple[str, Tagged]]:
    """A day of 1,000 texts of which `share` is foreign."""
    generator, count = random.Random(seed), round(share * TRAFFIC)
    return generator.choices(traffic, k=TRAFFIC - count) + generator.choices(foreign, k=count)


def thinned(documents: list[tuple[str, Tagged]]) -> list[tuple[str, Tagged]]:
    """The even selection that is read of a busy day (`dashboards.windows`)."""
    return documents[:: max(1, -(-len(documents) // MOST_DOCUMENTS))]


def tally(worlds: Sequence[World], draws: Sequence[Callable[[Documents], Documents]]) -> dict[str, Any]:
    """How many of the draws each measure, and any of them, calls drifted; the worlds take turns."""
    alarms: dict[str, int] = {"any": 0}
    for turn, draw in enumerate(draws):
        profile, traffic = worlds[turn % len(worlds)]
        drawn = draw(traffic)
        window = tagged_window([text for text, _ in drawn], [tagged for _, tagged in drawn])
        drifted = [one["name"] for one in judged_measures(window, profile) if one["verdict"] == "drifted"]
        alarms["any"] += bool(drifted)
        for name in drifted:
            alarms[name] = alarms.get(name, 0) + 1
    return {"draws": len(draws), "alarms": alarms}


def seconds_for(documents: Documents, profile: dict[str, Any]) -> dict[str, float]:
    """The fastest of five: the classifier, and all measures, on windows that are already read."""
    window = tagged_window([text for text, _ in documents], [tagged for _, tagged in documents])
    timed = {"the domain classifier": foreign_share, "all six measures": judged_measures}
    found: dict[str, float] = {}
    for name, measure in timed.items():
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            measure(window, profile)
            taken.append(time.perf_counter() - began)
        found[name] = min(taken)
    return found


if __name__ == "__main__":
    main()
