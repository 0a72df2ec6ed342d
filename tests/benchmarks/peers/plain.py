"""What most teams write first: FastAPI that calls the model in the event loop. No key, no limit, no log, no metrics."""

from fastapi import FastAPI

from api.schemas import PredictRequest, PredictResponse
from tests.benchmarks.peers.engine import load_engine

app = FastAPI()
_TAGGER = load_engine()


@app.post("/api/v1/ner/predict", response_model=PredictResponse)
async def predict(body: PredictRequest) -> dict[str, object]:
    """The entities of one text."""
    spans = _TAGGER.tag([body.text])[0].spans
    return {
        "entities": [
            {
                "text": body.text[span.start : span.end],
                "label": span.label,
                "start": span.start,
                "end": span.end,
                "confidence": span.confidence,
            }
            for span in spans
        ],
        "confidence": [span.confidence for span in spans],
        "model_version": "1.0.0",
        "variant": "stable",
        "request_id": "0",
        "cached": False,
        "degraded": False,
    }
