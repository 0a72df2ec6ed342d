"""Where a run writes what is not registered yet: a folder of its own, gone when the run ends."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ner.settings import Settings


def draft_folder(settings: Settings, run_id: str) -> Path:
    """The run's folder, whether it is there or not."""
    return settings.artifacts / "drafts" / run_id


@contextmanager
def new_draft(settings: Settings, run_id: str) -> Iterator[Path]:
    """An empty folder for the run; what an earlier attempt left there is removed first."""
    remove_draft(settings, run_id)
    folder = draft_folder(settings, run_id)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove_draft(settings, run_id)


def remove_draft(settings: Settings, run_id: str) -> None:
    """Remove the run's folder, where there is one."""
    shutil.rmtree(draft_folder(settings, run_id), ignore_errors=True)
