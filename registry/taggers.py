"""A package becomes a tagger: the backend is named in its metadata, and comes from this table alone."""

import importlib
import json
from pathlib import Path

from ner.errors import BrokenPackage
from ner.predictions import Tagger

# Imported when first needed: a process that serves ONNX alone never loads spaCy.
_BACKENDS = {
    "onnx": ("registry.onnx_tagger", "OnnxTagger"),
    "onnx_encoder": ("registry.encoder_tagger", "EncoderTagger"),
    "spacy": ("registry.spacy_tagger", "SpacyTagger"),
}


def load_tagger(folder: Path) -> Tagger:
    """The tagger in a package folder. Raises BrokenPackage when the folder does not say how to load it."""
    try:
        backend = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["backend"]
        module, name = _BACKENDS[backend]
    except (OSError, ValueError, KeyError) as error:
        raise BrokenPackage(
            f"{folder} is not a version's package: its metadata.json must name a backend, one of "
            f"{', '.join(_BACKENDS)} ({error})."
        ) from error
    tagger: Tagger = getattr(importlib.import_module(module), name)(folder)
    return tagger
