import subprocess
from pathlib import Path

from training.lineage import git_commit, software


def _git(folder: Path, *arguments: str) -> str:
    person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    command = ["git", "-C", str(folder), *person, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_named_and_so_are_changes_since(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "model.py").write_text("1")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "-m", "first")
    commit = _git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(tmp_path) == commit
    (tmp_path / "notes.txt").write_text("not tracked")
    assert git_commit(tmp_path) == commit
    (tmp_path / "model.py").write_text("2")
    assert git_commit(tmp_path) == f"{commit}+changes"


def test_the_release_is_named_when_there_is_no_repository(tmp_path: Path) -> None:
    assert git_commit(tmp_path).startswith("ner-workbench ")


def test_the_release_is_named_when_the_repository_around_is_another_one(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "README").write_text("something else")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "-m", "first")
    installed = tmp_path / "site-packages"
    installed.mkdir()
    assert git_commit(installed).startswith("ner-workbench ")


def test_the_libraries_that_shape_a_model_are_named() -> None:
    assert {"python", "tensorflow", "keras", "spacy", "onnxruntime", "numpy"} <= software().keys()
