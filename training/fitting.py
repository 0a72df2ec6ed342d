"""One door to every recipe: labelled texts in, the files of a package out."""

import datetime as dt
import importlib
import json
from collections.abc import Sequence
from pathlib import Path

from annotation.offers import PartialLabels
from ner.documents import LabelledText
from ner.errors import InvalidInput
from training.checkpoints import Checkpoints
from training.fitted import Epoch, Fitted, Fitter, Lesson, Report, ShouldStop
from training.recipes import OF_THE_RUN, Recipe

__all__ = ["Epoch", "Fitted", "fit"]

# Imported when first needed: TensorFlow takes seconds to load, and spaCy's recipe does without it.
_FITTERS = {
    "bilstm_crf.v1": ("training.bilstm_crf", "fit_bilstm_crf"),
    "encoder_crf.v1": ("training.encoder_crf", "fit_encoder_crf"),
    "spacy_cnn.v1": ("training.spacy_cnn", "fit_spacy_cnn"),
}


def fit(
    recipe: Recipe,
    train: Sequence[LabelledText],
    dev: Sequence[LabelledText],
    labels: Sequence[str],
    folder: Path,
    report: Report,
    should_stop: ShouldStop,
    checkpoints: Checkpoints | None = None,
    judged: Sequence[PartialLabels] = (),
) -> Fitted:
    """Train `recipe` and write into `folder` what its tagger needs: the model's files, `labels.json`, and a
    `metadata.json` that names the backend, to which the pipeline adds the lineage.

    `report` is called after every epoch, from the calling thread. With `checkpoints` a training that was killed goes
    on after its last epoch, and the epochs before are reported again at once. From `judged`, documents of which only
    single spans are known, `bilstm_crf.v1` alone learns.

    Raises InvalidInput when there is nothing to learn from or to choose the best epoch by, RunCancelled soon after
    `should_stop` says so, and NerError when the served model does not answer as the trained one.
    """
    if not any(document.spans for document in train) or not any(document.text.strip() for document in dev):
        raise InvalidInput("Training needs at least one entity in the train part and one text in the dev part.")
    if not labels:
        raise InvalidInput("Training needs at least one label.")
    module, name = _FITTERS[recipe.name]
    fitter: Fitter = getattr(importlib.import_module(module), name)
    parameters = {name: value for name, value in recipe.parameters.items() if name not in OF_THE_RUN}
    kept = checkpoints or Checkpoints()
    fitted = fitter(Lesson(parameters, train, dev, labels, folder, report, should_stop, kept, judged))
    _write(folder / "labels.json", list(labels))
    _write(folder / "metadata.json", _metadata(recipe, labels, fitted))
    return fitted


def _metadata(recipe: Recipe, labels: Sequence[str], fitted: Fitted) -> dict[str, object]:
    return {
        "format": 1,
        "backend": fitted.backend,
        "recipe": recipe.name,
        "labels": list(labels),
        "confidence_kind": fitted.confidence_kind,
        "parameters": dict(recipe.parameters),
        "misaligned": fitted.misaligned,
        "judged": fitted.judged,
        "parity": fitted.parity,
        "calibration": fitted.calibration,
        "history": fitted.history,
        "created_at": dt.datetime.now(dt.UTC).isoformat(),
    }


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
