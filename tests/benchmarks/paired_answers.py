"""What two real versions say about sentences that neither was trained on: the population of the paired benchmark."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SENTENCES = {"stronger": 10_000, "weaker": 4_000}
"""Sentences of GMB that each version is trained on."""
_DEV, _HELD_OUT = 1_000, 24_000
_PARAMETERS = {"epochs": 4, "members": 1, "lstm_units": 100}


@dataclass(frozen=True)
class Population:
    """Per held-out sentence: right, found and gold spans of both versions, shape (sentences, 2, 3); the same as
    expected by the versions' own probabilities; and whether they differ in any span."""

    counts: NDArray[np.float64]
    expected: NDArray[np.float64]
    differs: NDArray[np.bool_]

    def f1(self) -> list[float]:
        """Of the two versions."""
        total = self.counts.sum(axis=0)
        return [float(value) for value in 2 * total[:, 0] / (total[:, 1] + total[:, 2])]


def population(gmb: Path, work: Path) -> Population:
    """Train what is not trained yet (minutes), and count. Kept in `work`."""
    kept = work / "answers.npz"
    if not kept.exists():
        work.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, **_answers(gmb, work))
    stored = np.load(kept)
    return Population(stored["counts"], stored["expected"], stored["differs"])


def _answers(gmb: Path, work: Path) -> dict[str, NDArray[Any]]:
    from annotation.formats import read_file
    from ner.documents import LabelledText, outermost
    from ner.outcomes import key_of

    documents = [LabelledText(one.text, tuple(outermost(one.spans))) for one in read_file(gmb).documents]
    order = np.random.default_rng(0).permutation(len(documents))
    shuffled = [documents[place] for place in order]
    held_out, dev, rest = shuffled[:_HELD_OUT], shuffled[_HELD_OUT : _HELD_OUT + _DEV], shuffled[_HELD_OUT + _DEV :]
    trained_on = {one.text for one in (*dev, *rest)}
    held_out = [one for one in held_out if one.text not in trained_on]
    answers = [_tagged(work / name, rest[:size], dev, held_out) for name, size in SENTENCES.items()]
    keys = [[{key_of(span) for span in answer.spans} for answer in side] for side in answers]
    gold = [{key_of(span) for span in one.spans} for one in held_out]
    counts = np.array(
        [
            [[len(found & wanted), len(found), len(wanted)] for found in pair]
            for *pair, wanted in zip(*keys, gold, strict=True)
        ],
        dtype=np.float64,
    )
    expected = np.array([[_expected(answer) for answer in pair] for pair in zip(*answers, strict=True)])
    differs = np.array([left != right for left, right in zip(*keys, strict=True)])
    return {"counts": counts, "expected": expected, "differs": differs}


def _tagged(package: Path, train: Sequence[Any], dev: Sequence[Any], texts: Sequence[Any]) -> Sequence[Any]:
    from registry.taggers import load_tagger
    from training.fitting import Epoch, fit
    from training.recipes import get_recipe

    def show(epoch: Epoch) -> None:
        print(f"  {package.name}: epoch {epoch.epoch}, dev F1 {epoch.f1:.4f}, {epoch.seconds:.0f} s", file=sys.stderr)

    if not (package / "calibration.json").exists():
        package.mkdir(parents=True, exist_ok=True)
        labels = sorted({span.label for document in train for span in document.spans})
        fit(get_recipe("bilstm_crf.v1", _PARAMETERS), train, dev, labels, package, show, lambda: False)
    return load_tagger(package).tag([document.text for document in texts])


def _expected(answer: Any) -> list[float]:
    right = sum(span.confidence for span in answer.spans)
    return [right, len(answer.spans), max(right, answer.expected_entities or 0.0)]


def main() -> None:
    """Train and count, to have it done before the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gmb", type=Path)
    parser.add_argument("--work", type=Path, default=Path(".bench/paired"))
    arguments = parser.parse_args()
    found = population(arguments.gmb, arguments.work)
    print(f"F1 {found.f1()}, {found.differs.mean():.1%} of {len(found.differs)} sentences differ")


if __name__ == "__main__":
    main()
