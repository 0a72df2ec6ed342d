"""The page of figures is written from what the jobs left, around what people wrote."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import models_page


def _leave_result(folder: Path, recipe: str, f1: float) -> None:
    part = {"f1": f1, "precision": f1, "recall": f1, "support": 30, "predicted": 30, "correct": 20}
    result = {
        "corpus": "gmb",
        "recipe": recipe,
        "machine": "2 cores",
        "changes": {"members": 1},
        "documents": [80, 10, 10],
        "seconds": 120.0,
        "processor_seconds": 90.0,
        "load": 1.5,
        "calibration": {"temperature": 1.25},
        "ece": 0.02,
        "ece_before": {"softmax": 0.09, "marginal": 0.06, "tempered": 0.03},
        "f1": f1,
        "f1_interval": [f1 - 0.01, f1 + 0.01],
        "per_label": {"geo": part, "per": part},
    }
    (folder / f"gmb.{recipe}.json").write_text(json.dumps(result), encoding="utf-8")


def test_figures_replace_figures_and_words_around_them_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{models_page.BEGIN}\nstale\n{models_page.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(models_page, "PAGE", page)
    _leave_result(tmp_path, "bilstm_crf.v1", 0.85)
    _leave_result(tmp_path, "spacy_cnn.v1", 0.80)
    models_page.write_page(tmp_path)
    written = page.read_text(encoding="utf-8")
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "stale" not in written
    assert (
        "| gmb (80 / 10 / 10) | **0.850** (0.840 to 0.860) | **0.800** (0.790 to 0.810) | +0.050 | 2.0 (1.5)" in written
    )
    assert "| gmb | 0.090 | 0.060 | 0.030 | 0.020 | 1.250 | 0.020 |" in written


def test_the_points_that_labels_lose_add_up_to_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{models_page.BEGIN}{models_page.END}", encoding="utf-8")
    monkeypatch.setattr(models_page, "PAGE", page)
    _leave_result(tmp_path, "bilstm_crf.v1", 0.85)
    models_page.write_page(tmp_path)
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith(("| geo |", "| per |"))]
    assert sum(float(row.split("|")[-2]) for row in rows) == pytest.approx(15.0)
