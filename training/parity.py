"""Does the file that will serve answer as the network that was trained?"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.crf import best_tags, load_crf
from registry.onnx_tagger import WholeNetwork, open_network
from training.batches import Batch

LARGEST_DIFFERENCE = 1e-4
"""Of two scores of a tag, in nats."""


def compare_with_onnx(
    trained: Callable[[Batch], NDArray[np.float32]], folder: Path, batches: Sequence[Batch]
) -> dict[str, Any]:
    """Scores and best tags of `trained` beside those of the package in `folder`, on padded batches: of what is served,
    and of the whole graph that other runtimes may run.

    Gives `sentences`, `largest_difference` (absolute, over real tokens), `sentences_with_other_tags`, and `identical`:
    no score differs by more than 1e-4 and no tag differs.
    """
    exported, crf = (open_network(folder), WholeNetwork(folder / "model.onnx")), load_crf(folder / "crf.json")
    difference, others = 0.0, 0
    for batch in batches:
        inside = np.arange(batch.rows.shape[1]) < batch.lengths[:, None]
        left = trained(batch)
        path = best_tags(crf, left, batch.lengths)
        for network in exported:
            right = network.emit(batch.rows, batch.lengths)
            difference = max(difference, float(np.abs(left - right)[inside].max()))
            others += int((path != best_tags(crf, right, batch.lengths)).any(axis=1).sum())
    return {
        "sentences": sum(len(batch.lengths) for batch in batches),
        "largest_difference": difference,
        "sentences_with_other_tags": others,
        "identical": difference <= LARGEST_DIFFERENCE and others == 0,
    }
