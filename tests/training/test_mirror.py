import os
import subprocess
import sys
from pathlib import Path

import pytest

from ner.database import Database
from ner.settings import Settings
from registry import rollout, runs, versions
from tests.builders import registered
from tests.training.small_corpus import TINY, import_corpus, small_corpus
from training.attempt import make_attempt
from training.mirror import ask_again, is_behind, mirror

pytestmark = [
    pytest.mark.slow,
    # Not ours to mend: MLflow's own use of other libraries.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


def _is_behind(database: Database) -> bool:
    with database.reading() as connection:
        return is_behind(connection)


@pytest.fixture
def news(database: Database, settings: Settings, tmp_path: Path) -> Database:
    """A database with one registered version, which is stable."""
    import_corpus(database, tmp_path, small_corpus())
    with database.transaction() as connection:
        run = runs.request_run(connection, "news", "bilstm_crf.v1", TINY | {"epochs": 1}, "ada")
        run = runs.claim_this_run(connection, run.id, "worker")
    record = make_attempt(database, settings, run)
    with database.transaction() as connection:
        rollout.set_stable(connection, record.version, actor="ada")
    return database


def test_a_version_waits_when_mlflow_is_down_and_is_logged_when_it_is_back(news: Database, settings: Settings) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    nowhere = settings.model_copy(update={"mlflow_url": "http://127.0.0.1:9"})
    with pytest.raises(MlflowException):
        mirror(news, nowhere)
    with news.reading() as connection:
        assert versions.get_version(connection, "1.0.0").mlflow_version is None
    assert _is_behind(news)

    assert mirror(news, settings) == 1
    with news.reading() as connection:
        record = versions.get_version(connection, "1.0.0")
        assert runs.get_run(connection, record.run_id or "").mlflow_run_id == record.mlflow_run_id
    assert record.mlflow_version == "1"
    assert not _is_behind(news)
    client = MlflowClient(settings.mlflow, settings.mlflow)
    assert {name: str(number) for name, number in client.get_registered_model("ner").aliases.items()} == {"stable": "1"}
    assert mirror(news, settings) == 0


def test_the_process_says_in_one_line_that_mlflow_is_away(settings: Settings, database: Database) -> None:
    given = {"NER_HOME": str(settings.home), "NER_DATABASE_URL": database.url, "NER_MLFLOW_URL": "http://127.0.0.1:9"}
    told = subprocess.run(
        [sys.executable, "-m", "training", "mirror"],
        env={**os.environ, **given, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = told.stdout + told.stderr
    assert told.returncode == 1
    assert "MLflow cannot be told now, and is told later" in said
    assert "Traceback" not in said


def test_mlflow_is_behind_when_the_rollout_changed(database: Database) -> None:
    assert not _is_behind(database)
    with database.transaction() as connection:
        registered(connection, "1.0.0")
        versions.note_mlflow(connection, "1.0.0", mlflow_run_id="r", mlflow_version="1")
    assert not _is_behind(database)
    with database.transaction() as connection:
        rollout.set_stable(connection, "1.0.0", actor="ada")
    assert _is_behind(database)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_versions_are_logged_beside_a_broken_package_and_anew_where_mlflow_lost_them(
    news: Database, settings: Settings
) -> None:
    with news.transaction() as connection:
        registered(connection, "0.9.0")
    assert mirror(news, settings) == 1
    with news.reading() as connection:
        assert versions.get_version(connection, "1.0.0").mlflow_version == "1"
        assert versions.get_version(connection, "0.9.0").mlflow_version is None
    assert _is_behind(news)

    # One that lost everything, while versions believe that they are known there, is told anew.
    emptied = settings.model_copy(update={"mlflow_url": f"sqlite:///{settings.home / 'emptied.db'}"})
    with news.transaction() as connection:
        ask_again(connection)
    assert _is_behind(news)
    assert mirror(news, emptied) == 1
    assert mirror(news, emptied) == 0
