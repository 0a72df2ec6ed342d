"""Who is measured: the bare route, what teams write first, the peers that are installed, and the API itself."""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.servers import Command
from tests.running import ROOT

PREDICT = "/api/v1/ner/predict"
PLAIN = "plain FastAPI, model in the loop"
MLFLOW = "mlflow models serve"
KERAS = "mlflow models serve (Keras flavour)"
ENGINES = {"onnx": "ONNX file", "compiled": "our compiled tagger"}
"""What the peers call, see `tests.benchmarks.peers.engine`."""
_PEERS = ("bentoml", "litserve", "onnxruntime", "numpy", "pydantic", "threadpoolctl")


@dataclass(frozen=True)
class Contestant:
    """A server to measure, and how it wants to be asked. `texts`: "distinct", "same", "inputs" (MLflow's form)
    or "rows" (see `tests.benchmarks.keras_flavour`)."""

    name: str
    command: Command
    path: str = PREDICT
    texts: str = "distinct"
    is_ours: bool = False


def contestants(
    home: Path, package: Path, peers: Path | None, mlflow_model: str | None, keras_model: Path | None = None
) -> Iterator[Contestant]:
    """Everybody, the limits first."""
    given = {"BENCH_PACKAGE": str(package), "PYTHONPATH": str(ROOT)}

    def app(module: str, engine: str = "") -> Command:
        words = [sys.executable, "-m", "uvicorn", f"tests.benchmarks.peers.{module}:app", "--port", "{port}"]
        return Command(
            [*words, "--no-access-log", "--log-level", "warning"], "/openapi.json", given | {"BENCH_ENGINE": engine}
        )

    yield Contestant("bare FastAPI route", app("bare"))
    yield Contestant("spaCy behind FastAPI", app("spacy_plain"))
    for engine in ENGINES:
        yield Contestant(with_engine(PLAIN, engine), app("plain", engine))
        if peers is not None:
            yield from _frameworks(home, peers, given | {"BENCH_ENGINE": engine}, engine)
    if mlflow_model is not None:
        yield Contestant(MLFLOW, _mlflow(home, given, mlflow_model), "/invocations", "inputs")
    if keras_model is not None:
        yield Contestant(KERAS, _mlflow(home, given, str(keras_model)), "/invocations", "rows")
    yield Contestant("this API, nothing cached", ours(home), is_ours=True)
    yield Contestant("this API, cached", ours(home), texts="same", is_ours=True)


def _mlflow(home: Path, given: dict[str, str], model: str) -> Command:
    words = [str(Path(sys.executable).parent / "mlflow"), "models", "serve", "-m", model]
    words += ["--env-manager", "local", "-p", "{port}", "-h", "127.0.0.1"]
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}", "PATH": _path(), "CUDA_VISIBLE_DEVICES": ""}
    return Command(words, "/ping", given | uri)


def with_engine(peer: str, engine: str) -> str:
    """The name of a peer that calls one of the engines."""
    return f"{peer} ({ENGINES[engine]})"


def _frameworks(home: Path, python: Path, given: dict[str, str], engine: str) -> Iterator[Contestant]:
    bento = [str(python.parent / "bentoml"), "serve", "tests.benchmarks.peers.bento:Ner", "--port", "{port}"]
    quiet = {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(home / "bentoml")}
    yield Contestant(with_engine("BentoML", engine), Command(bento, "/readyz", given | quiet), "/predict")
    lit = [str(python), "-m", "tests.benchmarks.peers.lit", "{port}"]
    yield Contestant(with_engine("LitServe", engine), Command(lit, "/health", given), "/predict")


def ours(home: Path, **settings: str) -> Command:
    """One API process, with authentication, rate limit, log and metrics."""
    return Command(
        [sys.executable, "-m", "api"],
        "/v2/health/ready",
        {"NER_HOME": str(home), "NER_PORT": "{port}", "NER_LOG_LEVEL": "WARNING", **settings},
    )


def throw_away_environment(folder: Path) -> Path | None:
    """The interpreter of a new environment with the peers, or None where they cannot be installed."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    install = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet", "--python", str(python), *_PEERS]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"The peers cannot be installed and are left out: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return python


def _path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
