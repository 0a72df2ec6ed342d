import pytest

from ner.database import Database
from ner.settings import Settings
from registry import rollout, runs, versions
from tests.builders import registered
from tests.training.small_corpus import TINY
from training.mirror import is_behind
from training.starter import ensure_starter

pytestmark = pytest.mark.slow
_SMALL = TINY | {"epochs": 1}


def _start(database: Database, settings: Settings) -> str:
    return ensure_starter(database, settings, sentences=150, parameters=_SMALL)


def _registered(database: Database) -> list[str]:
    with database.reading() as connection:
        return [record.version for record in versions.list_versions(connection)]


def _stable(database: Database) -> str | None:
    with database.reading() as connection:
        return rollout.current_rollout(connection).stable


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_first_start_registers_a_version_that_answers_and_the_second_changes_nothing(
    database: Database, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "The starter model is version 1.0.0" in _start(database, settings)
    assert "Starter model: done" in capfd.readouterr().err
    with database.reading() as connection:
        record = versions.get_version(connection, "1.0.0")
        run = runs.get_run(connection, record.run_id or "")
        epoch = rollout.current_rollout(connection).epoch
    assert (record.dataset, record.trained_by, run.status) == ("starter", "system", "finished")
    assert set(record.labels) == {"art", "eve", "geo", "gpe", "nat", "org", "per", "tim"}
    assert record.data_version == run.snapshot_hash
    assert record.mlflow_version == "1"
    assert _stable(database) == "1.0.0"

    assert _start(database, settings) == "Version 1.0.0 is stable."
    with database.reading() as connection:
        assert rollout.current_rollout(connection).epoch == epoch
        assert len(runs.list_runs(connection)) == 1
    assert _registered(database) == ["1.0.0"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_worker_is_left_to_tell_mlflow_where_its_server_is_not_there_yet(
    database: Database, settings: Settings
) -> None:
    ensure_starter(database, settings, sentences=150, parameters=_SMALL, tells_mlflow=False)
    with database.reading() as connection:
        assert versions.get_version(connection, "1.0.0").mlflow_version is None
        assert is_behind(connection)
    assert not (settings.home / "mlflow.db").exists()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_interrupted_before_stable", [True, False])
def test_the_next_start_finishes_the_work_when_the_first_was_interrupted(
    database: Database, settings: Settings, is_interrupted_before_stable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "training.starter.rollout.set_stable" if is_interrupted_before_stable else "training.pipeline.register"

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("training.starter._tell_mlflow", lambda *_: None)
        patch.setattr(place, interrupt)
        _start(database, settings)
    assert _stable(database) is None
    monkeypatch.setattr("training.starter._tell_mlflow", lambda *_: None)
    _start(database, settings)
    assert _registered(database) == ["1.0.0"]
    assert _stable(database) == "1.0.0"
    with database.reading() as connection:
        statuses = [run.status for run in runs.list_runs(connection)]
    assert statuses == (["finished"] if is_interrupted_before_stable else ["finished", "failed"])


def test_nothing_is_trained_when_somebody_registered_a_version_already(database: Database, settings: Settings) -> None:
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0")
    assert "2 versions are registered, none of them stable" in _start(database, settings)
    with database.reading() as connection:
        assert runs.list_runs(connection) == []
    assert _stable(database) is None
