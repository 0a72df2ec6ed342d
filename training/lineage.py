"""With which code a version was trained."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGES = ("tensorflow", "keras", "spacy", "onnxruntime", "numpy", "mlflow")


def git_commit(folder: Path | None = None) -> str:
    """The commit that is checked out, with `+changes` where tracked files differ from it.

    Where the software was installed without its repository, the release: `ner-workbench 0.1.0`.
    """
    where = folder or Path(__file__).parent
    commit = _git(where, "rev-parse", "HEAD")
    if not commit or _git(where, "ls-files", "--error-unmatch", ".") is None:
        return f"ner-workbench {_release('ner-workbench') or 'without a release number'}"
    changes = _git(where, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if changes else commit


def software() -> dict[str, str]:
    """The versions of Python and of the libraries that shape a model."""
    installed = {name: release for name in _PACKAGES if (release := _release(name)) is not None}
    return {"python": platform.python_version(), **installed}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _release(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
