import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ner.database import Database
from ner.settings import Settings
from registry import runs, versions
from registry.runs import Run
from tests.training.small_corpus import TINY, import_corpus, small_corpus
from training.drafts import draft_folder
from training.worker import Worker

pytestmark = pytest.mark.slow

_PATIENCE_SECONDS = 300
_ENDLESS = {"epochs": 200, "patience": 200, "learning_rate": 1e-6}


@pytest.fixture
def news(database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with something to learn from, where the processes that a worker starts find it."""
    for name, value in _environment(database, settings).items():
        monkeypatch.setenv(name, value)
    import_corpus(database, tmp_path, small_corpus(600))
    return database


@pytest.fixture
def worker(news: Database, settings: Settings) -> Iterator[Worker]:
    worker = Worker(news, settings)
    yield worker
    worker.close()


def _environment(database: Database, settings: Settings) -> dict[str, str]:
    return {"NER_HOME": str(settings.home), "NER_DATABASE_URL": database.url, "NER_SECRET_KEY": settings.secret_key}


def _ask(database: Database, **parameters: float) -> str:
    with database.transaction() as connection:
        return runs.request_run(connection, "news", "bilstm_crf.v1", TINY | parameters, "ada").id


def _stored(database: Database, run_id: str) -> Run:
    with database.reading() as connection:
        return runs.get_run(connection, run_id)


def _until(holds: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    """Wait for something another process does; fail when it never does."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "What was waited for did not happen."
        meanwhile()
        pause.wait(0.05)


def _is_learning(database: Database, run_id: str, attempt: int = 1) -> Callable[[], bool]:
    def holds() -> bool:
        run = _stored(database, run_id)
        assert run.status in ("queued", "running"), run.error
        return run.attempts == attempt and run.progress["epoch"] is not None

    return holds


def _versions(database: Database) -> list[str]:
    with database.reading() as connection:
        return [record.version for record in versions.list_versions(connection)]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_training_is_taken_up_again_and_registers_one_version(news: Database, worker: Worker) -> None:
    killed, waiting = _ask(news), _ask(news, epochs=1)
    _until(
        lambda: worker.training_process is not None and _stored(news, killed).progress["stage"] == "training",
        worker.tick,
    )
    assert _stored(news, waiting).status == "queued"
    assert worker.training_process is not None
    os.kill(worker.training_process, signal.SIGKILL)
    _until(lambda: _stored(news, waiting).status == "finished", worker.tick)
    first, second = _stored(news, killed), _stored(news, waiting)
    assert (first.status, first.attempts, first.version) == ("finished", 2, "1.0.0")
    assert (second.status, second.attempts, second.version) == ("finished", 1, "1.1.0")
    assert _versions(news) == ["1.1.0", "1.0.0"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_run_fails_with_a_sentence_when_it_was_killed_three_times(news: Database, worker: Worker) -> None:
    run_id = _ask(news)
    for attempt in (1, 2, 3):
        _until(lambda attempt=attempt: _stored(news, run_id).attempts == attempt, worker.tick)  # type: ignore[misc]
        assert worker.training_process is not None
        os.kill(worker.training_process, signal.SIGKILL)
    _until(lambda: _stored(news, run_id).status == "failed", worker.tick)
    ended = _stored(news, run_id)
    assert ended.status == "failed"
    assert "tried 3 times and was killed by SIGKILL each time" in (ended.error or "")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_worker_goes_on_to_the_next_run_when_one_is_cancelled(news: Database, worker: Worker) -> None:
    endless, next_one = _ask(news, **_ENDLESS), _ask(news, **_ENDLESS)
    _until(_is_learning(news, endless), worker.tick)
    with news.transaction() as connection:
        runs.request_cancel(connection, endless, "bob")
    _until(lambda: _stored(news, next_one).status == "running", worker.tick)
    assert _stored(news, endless).status == "cancelled"
    assert _versions(news) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_run_waits_again_and_no_process_stays_when_the_worker_is_stopped(
    news: Database, settings: Settings
) -> None:
    run_id = _ask(news, **_ENDLESS)
    with _running_worker(news, settings) as process:
        _until(_is_learning(news, run_id))
        child = _child_of(process)
        process.terminate()
        assert process.wait(_PATIENCE_SECONDS) == 0
    run = _stored(news, run_id)
    assert (run.status, run.attempts, run.claimed_by) == ("queued", 0, None)
    assert not _is_alive(child)
    assert not draft_folder(settings, run_id).exists()
    assert (settings.home / "worker.alive").exists()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_run_waits_again_and_no_process_stays_when_the_worker_is_killed(news: Database, settings: Settings) -> None:
    run_id = _ask(news, **_ENDLESS)
    with _running_worker(news, settings) as process:
        _until(_is_learning(news, run_id))
        child = _child_of(process)
        process.kill()
        process.wait()
        _until(lambda: _stored(news, run_id).status == "queued")
        _until(lambda: not _is_alive(child))
    assert _stored(news, run_id).attempts == 1


def _running_worker(database: Database, settings: Settings) -> "subprocess.Popen[bytes]":
    environment = os.environ | _environment(database, settings)
    return subprocess.Popen([sys.executable, "-m", "training", "worker"], env=environment)


def _child_of(process: "subprocess.Popen[bytes]") -> int:
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
    return int(listed.stdout.split()[0])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_that_works_until_idle_ends_when_nothing_waits(news: Database, worker: Worker) -> None:
    run_id = _ask(news, epochs=1)
    worker.run_until(threading.Event(), until_idle=True)
    assert _stored(news, run_id).status == "finished"
    assert worker.is_idle
