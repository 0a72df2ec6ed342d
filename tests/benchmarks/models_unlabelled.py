"""How far the label-free estimate is from the truth, at home and on texts that are unlike the training data.

    python -m tests.benchmarks.models_unlabelled CORPORA [--work .bench/models] [--small FOLDER ...]

Uses the packages that `tests.benchmarks.models` left; `--small` adds packages of models that learned from a part of
GMB (`tests.benchmarks.learning_curve` leaves them). The interval is shown plain, and widened by the distance of the
texts from home; what the widening is per unknown word is then asked of the other corpora alone (leave one out).
Windows of 500 sentences; where the label sets differ, a table says which labels mean the same, and spans of the others
are left out on both sides.
"""

import argparse
import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ner.documents import EntitySpan, LabelledText
from ner.estimation import estimate_quality, unknown_share
from ner.predictions import ScoredSpan, Tagged
from ner.scoring import strict_score
from registry.onnx_tagger import OnnxTagger
from tests.benchmarks.models import CORPORA, RESULTS, WORK, read_parts

WINDOW = 500
WINDOWS = 20
_NEAR = 0.01
_PEOPLE = ("person", "musicalartist", "writer", "scientist")
_GROUPS = ("organisation", "band", "university", "corporation", "group")
_PLACES = ("location", "country")
_FROM_GMB = {**dict.fromkeys(_PEOPLE, "per"), **dict.fromkeys(_GROUPS, "org"), **dict.fromkeys(_PLACES, "geo")}
_FROM_CONLL = {name: {"per": "PER", "org": "ORG", "geo": "LOC"}[label] for name, label in _FROM_GMB.items()}
_AWAY = ("wnut17", "crossner_music", "crossner_literature", "crossner_science")


@dataclass(frozen=True)
class Case:
    """A model, the texts it is estimated on, and what the texts' labels are called by the model."""

    model: str
    texts: str
    same: Mapping[str, str] | None


CASES = (
    Case("conll2003", "conll2003", None),
    Case("gmb", "gmb", None),
    *(Case("gmb", name, _FROM_GMB) for name in _AWAY),
    *(Case("conll2003", name, _FROM_CONLL) for name in _AWAY),
)


class _PerLabel(OnnxTagger):
    """Expects only entities of some labels."""

    def keep(self, labels: Sequence[str]) -> None:
        self._start_tags = [self._crf.tags.index(f"B-{label}") for label in labels]


def main() -> None:
    """Measure every case and write `unlabelled/figures.json` beside the figures of the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--small", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    cases = [(arguments.work / f"{case.model}.bilstm_crf.v1", case) for case in CASES]
    cases += [(folder, Case("gmb", name, _FROM_GMB)) for folder in arguments.small for name in _AWAY]
    cases += [(folder, Case("gmb", "gmb", None)) for folder in arguments.small]
    rows = [row for package, case in cases if (row := _measure(arguments.corpora, package, case))]
    _leave_one_out(rows)
    target = RESULTS / "unlabelled"
    target.mkdir(parents=True, exist_ok=True)
    (target / "figures.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    for row in rows:
        print({name: value for name, value in row.items() if name != "seen"}, flush=True)


def _leave_one_out(rows: Sequence[dict[str, Any]]) -> None:
    """Coverage where the widening per unknown word is the greatest that the other corpora would have needed."""
    for row in rows:
        needed = [
            (seen["low"] - seen["true"]) / seen["distance"]
            for other in rows
            if other["texts"] != row["texts"]
            for seen in other["seen"]
            if seen["distance"] > _NEAR
        ]
        slope = max([0.0, *needed])
        inside = [seen["low"] - slope * seen["distance"] <= seen["true"] <= seen["high"] for seen in row["seen"]]
        row |= {"slope_of_the_others": slope, "coverage_left_out": float(np.mean(inside))}


def _measure(corpora: Path, package: Path, case: Case) -> dict[str, Any] | None:
    if not (package / "calibration.json").exists():
        return None
    tagger = _PerLabel(package)
    test = _parts(corpora, case.texts)[2]
    if case.same is not None:
        tagger.keep(sorted(set(case.same.values())))
        test = [dataclasses.replace(one, spans=tuple(_renamed(one.spans, case.same))) for one in test]
    answers = [_narrowed(answer, case.same) for answer in tagger.tag([document.text for document in test])]
    home = _home_share(corpora, tagger, case.model)
    errors, inside, widened, estimates, truths, seen = [], 0, 0, [], [], []
    for places in _windows(len(test)):
        window = [answers[place] for place in places]
        estimate, wide = estimate_quality(window).f1, estimate_quality(window, home_unknown_share=home).f1
        truth = _truth([test[place] for place in places], window)
        assert estimate is not None
        assert wide is not None
        distance = max(0.0, unknown_share(window) - home)
        seen.append({"distance": distance, "true": truth, "low": estimate.low, "high": estimate.high})
        widened += wide.low <= truth <= wide.high
        estimates.append(estimate.value)
        truths.append(truth)
        errors.append(estimate.value - truth)
        inside += estimate.low <= truth <= estimate.high
    figures = {
        "estimated": float(np.mean(estimates)),
        "true": float(np.mean(truths)),
        "bias": float(np.mean(errors)),
        "mean_error": float(np.mean(np.abs(errors))),
        "coverage": inside / len(errors),
        "coverage_widened": widened / len(errors),
        "distance": float(np.mean([one["distance"] for one in seen])),
    }
    name = case.model if package.name.startswith(case.model) else f"{case.model}, {package.name}"
    return {"model": name, "texts": case.texts, "documents": len(test), "windows": len(errors), **figures, "seen": seen}


def _home_share(corpora: Path, tagger: OnnxTagger, model: str) -> float:
    """Unknown words in the dev part of what the model learned from."""
    dev = _parts(corpora, model)[1]
    return unknown_share(tagger.tag([document.text for document in dev[:1000]]))


@functools.cache
def _parts(corpora: Path, name: str) -> Sequence[list[LabelledText]]:
    return read_parts(corpora, next(corpus for corpus in CORPORA if corpus.name == name))


def _renamed(spans: Sequence[EntitySpan], same: Mapping[str, str]) -> Iterator[EntitySpan]:
    return (dataclasses.replace(span, label=same[span.label]) for span in spans if span.label in same)


def _narrowed(answer: Tagged, same: Mapping[str, str] | None) -> Tagged:
    if same is None:
        return answer
    kept = set(same.values())
    return dataclasses.replace(answer, spans=tuple(span for span in answer.spans if span.label in kept))


def _windows(documents: int) -> list[np.ndarray[Any, Any]]:
    """Draws of `WINDOW` documents without replacement, or the whole where there are no more."""
    if documents <= WINDOW:
        return [np.arange(documents)]
    random = np.random.default_rng(0)
    return [random.choice(documents, WINDOW, replace=False) for _ in range(WINDOWS)]


def _truth(documents: Sequence[LabelledText], answers: Sequence[Tagged]) -> float:
    found: list[list[EntitySpan]] = [[_plain(span) for span in answer.spans] for answer in answers]
    return strict_score([document.spans for document in documents], found).f1


def _plain(span: ScoredSpan) -> EntitySpan:
    return span.span


if __name__ == "__main__":
    main()
