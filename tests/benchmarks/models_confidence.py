"""Calibration errors of one package on one test part: softmax, raw marginals, one temperature, and what is served."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ner.documents import LabelledText
from ner.reliability import reliability
from ner.tags import TokenSpan, decode_tags, tag_names
from registry.calibration import Calibration, load_calibration
from registry.crf import best_tags, load_crf, span_probabilities
from registry.features import Featuriser, load_vocabulary
from registry.onnx_tagger import open_network
from training.batches import even_batches, number_sentences
from training.sentences import cut_documents


def calibration_errors(package: Path, test: Sequence[LabelledText], labels: Sequence[str]) -> dict[str, float | None]:
    """Entity ECE over equal-mass bins. `softmax` is the product over a span's tokens of the network's own softmax,
    without the CRF; `marginal` the CRF's, `tempered` after the temperature alone."""
    network, crf = open_network(package), load_crf(package / "crf.json")
    calibration = load_calibration(package) or Calibration()
    cut = cut_documents(test, labels)
    corpus = number_sentences(
        cut.sentences, tag_names(labels), Featuriser(load_vocabulary(package / "vocabulary.json"))
    )
    scores: dict[str, list[float]] = {"softmax": [], "marginal": [], "tempered": []}
    is_right: list[bool] = []
    for batch in even_batches(corpus, 128):
        emissions = network.emit(batch.rows, batch.lengths)
        paths = best_tags(crf, emissions, batch.lengths)
        spans = [
            decode_tags([crf.tags[tag] for tag in path[:length]])
            for path, length in zip(paths, batch.lengths, strict=True)
        ]
        for place, found in zip(batch.places, spans, strict=True):
            gold = set(cut.sentences[place].spans)
            is_right += [span in gold for span in found]
        for name, warmth in (("marginal", Calibration()), ("tempered", Calibration(calibration.temperature))):
            shares = span_probabilities(*warmth.tempered(crf, emissions), batch.lengths, spans)
            scores[name] += [share for row in shares for share in row]
        scores["softmax"] += [
            _softmax_share(emissions[row], crf.tags, span) for row, found in enumerate(spans) for span in found
        ]
    right = np.array(is_right, dtype=np.bool_)
    return {name: reliability(np.array(values), right)["ece"] for name, values in scores.items()}


def _softmax_share(emissions: NDArray[np.float32], tags: Sequence[str], span: TokenSpan) -> float:
    first, end, label = span
    rows = emissions[first:end].astype(np.float64)
    log_shares = rows - np.log(np.exp(rows - rows.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
    log_shares -= rows.max(axis=1, keepdims=True)
    wanted = [tags.index(f"{'B' if place == 0 else 'I'}-{label}") for place in range(end - first)]
    return float(np.exp(log_shares[np.arange(end - first), wanted].sum()))
