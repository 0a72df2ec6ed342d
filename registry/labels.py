"""How a model from elsewhere calls things, and how this installation does."""

import json
from pathlib import Path

from ner.errors import BrokenPackage


def renamed_labels(folder: Path) -> dict[str, str]:
    """From the model's own labels to those it answers with, as `metadata.json` says; empty where it says nothing."""
    path = folder / "metadata.json"
    if not path.exists():
        return {}
    try:
        renamed = json.loads(path.read_text(encoding="utf-8")).get("renamed", {})
        return {str(old): str(new) for old, new in renamed.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise BrokenPackage(f"{path} cannot be read: {error}.") from error
