import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ner.database import Database
from ner.documents import LabelledText
from ner.errors import Conflict, NerError, RunCancelled
from ner.settings import Settings
from registry import audit, rollout, runs, versions
from registry.packages import PackageStore
from registry.progress import Progress
from registry.runs import Run
from registry.taggers import load_tagger
from tests.training.small_corpus import TINY, import_corpus, small_corpus
from training.attempt import make_attempt
from training.lineage import git_commit
from training.splits import split

pytestmark = pytest.mark.slow


@pytest.fixture
def news(database: Database, tmp_path: Path) -> Database:
    import_corpus(database, tmp_path, small_corpus())
    return database


def _claimed(database: Database, **parameters: float) -> Run:
    with database.transaction() as connection:
        runs.request_run(connection, "news", "bilstm_crf.v1", TINY | parameters, "ada")
        run = runs.claim_run(connection, "worker")
    assert run is not None
    return run


def _stored(database: Database, run: Run) -> Run:
    with database.reading() as connection:
        return runs.get_run(connection, run.id)


def _registered(database: Database) -> list[str]:
    with database.reading() as connection:
        return [record.version for record in versions.list_versions(connection)]


def _actions(database: Database) -> list[str]:
    with database.reading() as connection:
        assert audit.verify(connection).ok
        return [entry.action for entry in audit.list_entries(connection)[0]]


def test_a_run_becomes_a_version_with_its_package_and_its_whole_lineage(news: Database, settings: Settings) -> None:
    run = _claimed(news)
    seen: list[Progress] = []
    record = make_attempt(news, settings, run, watch=seen.append)

    assert _registered(news) == [record.version] == ["1.0.0"]
    assert _actions(news)[0] == "version.registered"
    package = PackageStore(settings.artifacts / "versions").folder(record.version, record.package_hash)
    answer = load_tagger(package).tag(["Klara Dan lives in New Delhi ."])[0]
    assert [(span.start, span.end, span.label) for span in answer.spans] == [(0, 9, "per"), (19, 28, "geo")]

    figures = json.loads((package / "performance.json").read_text())
    assert figures == record.performance
    sizes = split(small_corpus()).sizes()
    assert (figures["part"], figures["splits"], figures["documents"]) == ("test", sizes, sizes["test"])
    assert figures["baseline"] is None
    profile = json.loads((package / "profile.json").read_text())
    assert profile["documents"] == sizes["dev"] + sizes["test"]

    facts = json.loads((package / "metadata.json").read_text())
    ended = _stored(news, run)
    assert facts["version"] == record.version
    assert facts["data_version"] == record.data_version == ended.snapshot_hash
    assert facts["git_commit"] == record.git_commit == git_commit()
    assert facts["trained_by"] == record.trained_by == "ada"
    assert facts["parameters"] == record.hyperparameters
    assert record.hyperparameters["lstm_units"] == TINY["lstm_units"]
    assert facts["backend"] == "onnx"
    assert figures["judged"] == facts["judged"] == {"sentences": 0, "accepted": 0, "rejected": 0}
    assert record.training_started_at < record.training_completed_at

    assert (ended.status, ended.version, ended.error) == ("finished", "1.0.0", None)
    assert ended.result is not None
    assert ended.result["f1"] == figures["f1"]
    assert list(dict.fromkeys(step.stage for step in seen)) == ["snapshot", "training", "scoring", "registering"]
    assert [step.fraction for step in seen] == sorted(step.fraction for step in seen)
    assert ended.progress["fraction"] == 1.0
    assert [item["epoch"] for item in ended.progress["history"]] == [1.0 * n for n in range(1, TINY["epochs"] + 1)]
    assert not list((settings.artifacts / "drafts").iterdir())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_second_version_is_scored_beside_the_stable_one_on_the_same_documents(
    news: Database, settings: Settings
) -> None:
    first = make_attempt(news, settings, _claimed(news, epochs=1))
    with news.transaction() as connection:
        rollout.set_stable(connection, first.version, actor="ada")
    second = make_attempt(news, settings, _claimed(news))
    baseline = second.performance["baseline"]
    assert second.version == "1.1.0"
    assert baseline["version"] == "1.0.0"
    # The same snapshot and the same split: the stable version meets its own test part again.
    assert baseline["f1"] == first.performance["f1"]
    assert baseline["difference"]["difference"] == pytest.approx(second.performance["f1"] - first.performance["f1"])
    assert baseline["difference"]["low"] > 0
    assert second.data_version == first.data_version


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("corpus", "sentence"),
    [
        (small_corpus(20), "has 20 documents with settled spans, and training needs at least 30"),
        ([LabelledText(d.text, ()) for d in small_corpus(60)], "No entity falls into the train part"),
    ],
    ids=["few documents", "no entities"],
)
def test_a_run_fails_with_a_sentence_when_there_is_too_little_to_learn_from(
    database: Database, settings: Settings, tmp_path: Path, corpus: list[LabelledText], sentence: str
) -> None:
    import_corpus(database, tmp_path, corpus)
    run = _claimed(database)
    with pytest.raises(NerError, match=sentence):
        make_attempt(database, settings, run)
    ended = _stored(database, run)
    assert ended.status == "failed"
    assert ended.error is not None
    assert sentence in ended.error
    assert _registered(database) == []
    assert _actions(database)[0] == "run.failed"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_run_fails_with_a_sentence_when_something_unexpected_happens(news: Database, settings: Settings) -> None:
    settings.artifacts.mkdir(parents=True)
    (settings.artifacts / "drafts").write_text("a file where a folder should be")
    run = _claimed(news)
    with pytest.raises(OSError, match="drafts"):
        make_attempt(news, settings, run)
    assert (_stored(news, run).error or "").startswith("Training met an unexpected")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_training_stops_and_registers_nothing_when_it_is_cancelled(news: Database, settings: Settings) -> None:
    run = _claimed(news, epochs=200, patience=200)

    def cancel(progress: Progress) -> None:
        if progress.epoch == 1:
            with news.transaction() as connection:
                runs.request_cancel(connection, run.id, "bob")

    with pytest.raises(RunCancelled):
        make_attempt(news, settings, run, watch=cancel)
    assert _stored(news, run).status == "cancelled"
    assert _registered(news) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("stage", ["training", "registering"])
def test_nothing_is_registered_when_another_worker_took_the_run_over(
    news: Database, settings: Settings, stage: str
) -> None:
    run = _claimed(news)

    def take_over(progress: Progress) -> None:
        if progress.stage == stage:
            with news.transaction() as connection:
                if runs.get_run(connection, run.id).claimed_by == run.claimed_by:
                    runs.give_back(connection, run)
                    runs.claim_this_run(connection, run.id, "another")

    with pytest.raises((Conflict, RunCancelled)):
        make_attempt(news, settings, run, watch=take_over)
    after = _stored(news, run)
    assert (after.status, after.error) == ("running", None)
    assert _registered(news) == []
    assert "run.failed" not in _actions(news)


_KILLED_AT = """
import os, signal, sys
from ner.database import Database
from ner.settings import load_settings
from registry import runs
import registry.packages, registry.versions
import training.pipeline
from training.attempt import make_attempt

def killing(function, when):
    def replacement(*arguments, **named):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return replacement

place, when = sys.argv[2:]
if place == "package":
    registry.packages.PackageStore.add = killing(registry.packages.PackageStore.add, when)
else:
    training.pipeline.register = killing(training.pipeline.register, when)
settings = load_settings()
database = Database(settings.database)
with database.reading() as connection:
    run = runs.get_run(connection, sys.argv[1])
make_attempt(database, settings, run)
"""


@pytest.mark.parametrize(
    ("database", "place", "when"),
    [
        ("sqlite", "package", "before"),
        ("sqlite", "package", "after"),
        ("sqlite", "version", "after"),
        pytest.param("postgresql", "version", "after", marks=pytest.mark.postgres),
    ],
    indirect=["database"],
)
def test_the_next_attempt_registers_one_whole_version_when_the_process_was_killed_while_registering(
    news: Database, settings: Settings, place: str, when: str
) -> None:
    run = _claimed(news, epochs=2)
    environment = os.environ | {"NER_HOME": str(settings.home), "NER_DATABASE_URL": news.url}
    killed = subprocess.run([sys.executable, "-c", _KILLED_AT, run.id, place, when], env=environment, check=False)
    assert killed.returncode == -9
    assert _registered(news) == []
    assert _stored(news, run).status == "running"

    with news.transaction() as connection:
        assert runs.give_up(connection, run, "died") == "queued"
        again = runs.claim_this_run(connection, run.id, "worker")
    # Other figures than the killed attempt's, so that a leftover package would be noticed.
    record = make_attempt(news, settings, again)
    assert again.attempts == 2
    assert _registered(news) == ["1.0.0"]
    assert _actions(news).count("version.registered") == 1
    package = PackageStore(settings.artifacts / "versions").folder(record.version, record.package_hash)
    assert json.loads((package / "metadata.json").read_text())["run_id"] == run.id
    assert [path.name for path in package.parent.iterdir() if not path.name.startswith(".")] == ["1.0.0"]
