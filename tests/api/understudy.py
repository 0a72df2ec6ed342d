"""The dictionary tagger in a process of its own. "crash" in a text ends the process, "hang" keeps it busy for good."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from ner.predictions import Tagged
from registry.understudy import serve
from tests.api.dictionary import DictionaryTagger


class Fragile(DictionaryTagger):
    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        if any("crash" in text for text in texts):
            os._exit(3)
        if any("hang" in text for text in texts):
            threading.Event().wait()
        return super().tag(texts)


def load(folder: Path) -> Fragile:
    return Fragile(folder)


if __name__ == "__main__":
    serve(load)
