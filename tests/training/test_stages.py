"""The steps of `dvc.yaml`, run one after another as DVC would, make the same version again."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from annotation.formats import WrittenDocument, write_documents
from tests.training.small_corpus import TINY, small_corpus

ROOT = Path(__file__).parents[2]
PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def _reproduce(folder: Path) -> Path:
    """Run every stage in `folder`; each has to leave what it promises."""
    folder.mkdir()
    with (folder / "corpus.conll").open("wb") as stream:
        write_documents((WrittenDocument(one.text, one.spans) for one in small_corpus()), "conll", stream)
    params = {"corpus": "corpus.conll", "recipe": "bilstm_crf.v1", "parameters": TINY | {"epochs": 4}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for stage in PIPELINE.values():
        assert all((folder / one.replace("${corpus}", "corpus.conll")).exists() for one in stage["deps"])
        command = stage["cmd"].replace("${corpus}", "corpus.conll").replace("python ", f"{sys.executable} ", 1)
        environment = {"PYTHONPATH": str(ROOT), "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(command.split(), cwd=folder, check=True, env=environment, capture_output=True)
        outputs = [*stage.get("outs", []), *(path for metric in stage.get("metrics", []) for path in metric)]
        assert all((folder / path).exists() for path in outputs)
    return folder / "var" / "dvc"


@pytest.mark.slow
def test_the_same_file_gives_the_same_snapshot_model_and_figures(tmp_path: Path) -> None:
    first, second = (_reproduce(tmp_path / name) for name in ("first", "second"))
    for name in ("snapshot/snapshot.json", "package/model.onnx", "package/crf.json", "performance.json", "faults.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    figures = json.loads((first / "performance.json").read_text(encoding="utf-8"))
    assert figures["documents"] == json.loads((first / "snapshot" / "snapshot.json").read_text())["documents"]["test"]


def test_the_pipeline_goes_from_import_to_evaluation() -> None:
    assert list(PIPELINE) == ["import", "validate", "snapshot", "train", "evaluate"]
