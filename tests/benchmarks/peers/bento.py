"""The same package behind BentoML, one worker."""

from typing import Any

import bentoml

from tests.benchmarks.peers.engine import load_engine


@bentoml.service(workers=1)
class Ner:
    """One model, one route."""

    def __init__(self) -> None:
        self._tagger = load_engine()

    @bentoml.api(route="/predict")
    def predict(self, text: str) -> dict[str, Any]:
        """The entities of one text."""
        spans = self._tagger.tag([text])[0].spans
        return {"entities": [{"label": one.label, "start": one.start, "end": one.end} for one in spans]}
