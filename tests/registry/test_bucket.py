"""A bucket, tried on SeaweedFS, the S3 store that docker-compose.yml starts."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import sqlalchemy as sa

from annotation.frozen_files import redact_snapshot
from annotation.imports import import_file
from annotation.snapshots import freeze, read_snapshot
from ner import tables
from ner.database import Database
from ner.errors import BrokenPackage, InvalidSetting, NerError, NotFound
from ner.migrations import migrate
from ner.settings import Settings
from registry.bucket import Bucket, BucketAway, open_bucket
from registry.packages import PackageStore, open_store
from tests.objects import OwnObjects
from tests.populated import populate
from training.upkeep.housekeeping import tidy
from workbench.examination import stores

BUCKET = "artifacts"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnObjects]:
    with OwnObjects(tmp_path_factory.mktemp("objects"), BUCKET) as store:
        yield store


@pytest.fixture
def machine(objects: OwnObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine of an installation whose artifacts are in the bucket, below a prefix of this test's own."""
    for name, value in objects.environment().items():
        monkeypatch.setenv(name, value)
    return _machine(objects, tmp_path, "one")


def _machine(objects: OwnObjects, folder: Path, name: str) -> Settings:
    values = {"artifacts_url": f"s3://{BUCKET}/{folder.name}", "s3_endpoint_url": objects.url}
    return Settings(_env_file=None, home=folder / name, secret_key="a key for tests", **values)  # type: ignore[call-arg, arg-type]


def _draft(folder: Path) -> Path:
    folder.mkdir()
    (folder / "metadata.json").write_text(json.dumps({"backend": "onnx"}))
    (folder / "inner").mkdir()
    (folder / "inner" / "words.txt").write_text("Oslo\n")
    return folder


def test_the_credentials_of_the_moment_are_used(machine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as others:
        others.setenv("AWS_ACCESS_KEY_ID", "nobody")
        bucket = open_bucket(machine)
        assert bucket is not None
        with pytest.raises(BucketAway, match="InvalidAccessKeyId"):
            bucket.keys()
    bucket = open_bucket(machine)
    assert bucket is not None
    assert bucket.keys() == []


def test_objects_come_back_as_they_went(machine: Settings, tmp_path: Path) -> None:
    bucket = open_bucket(machine)
    assert bucket is not None
    (tmp_path / "sent").write_bytes(bytes(range(256)) * 50_000)
    assert not bucket.holds("a/b.bin")
    bucket.put(tmp_path / "sent", "a/b.bin")
    assert bucket.holds("a/b.bin")
    assert not bucket.holds("a/b")
    assert bucket.keys("a/") == ["a/b.bin"]
    assert bucket.fetch("a/b.bin", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "sent").read_bytes()
    bucket.delete("a/b.bin")
    assert not bucket.fetch("a/b.bin", tmp_path / "again")


def test_a_package_is_fetched_and_checked_on_a_machine_that_never_saw_it(
    machine: Settings, objects: OwnObjects, tmp_path: Path
) -> None:
    digest = open_store(machine).add("1.0.0", _draft(tmp_path / "draft"))
    elsewhere = _machine(objects, tmp_path, "two")
    elsewhere.home.mkdir()
    for key in machine.signing_keys:
        shutil.copy(key, elsewhere.home)
    folder = open_store(elsewhere).folder("1.0.0", digest)
    assert (folder / "inner" / "words.txt").read_text() == "Oslo\n"
    # What was changed on this machine is fetched anew.
    (folder / "inner" / "words.txt").write_text("Quito\n")
    assert (open_store(elsewhere).folder("1.0.0", digest) / "inner" / "words.txt").read_text() == "Oslo\n"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["1.0.0"]


def test_a_package_that_the_bucket_has_lost_is_put_back_by_a_machine_that_holds_it_whole(
    machine: Settings, tmp_path: Path
) -> None:
    store, bucket = open_store(machine), open_bucket(machine)
    assert bucket is not None
    digests = {version: store.add(version, _draft(tmp_path / version)) for version in ("1.0.0", "1.1.0", "1.2.0")}
    assert (store.lost(digests), store.put_back(digests)) == ([], [])
    store.archive("1.1.0", digests["1.1.0"])
    for key in bucket.keys(""):
        bucket.delete(key)
    (store.root / "1.2.0" / "inner" / "words.txt").write_text("Quito\n")
    assert store.lost(digests) == ["1.0.0", "1.1.0", "1.2.0"]
    assert store.put_back(digests) == ["1.0.0", "1.1.0"]
    assert store.lost(digests) == ["1.2.0"]
    shutil.rmtree(store.root)
    assert (store.folder("1.1.0", digests["1.1.0"]) / "inner" / "words.txt").read_text() == "Oslo\n"


def test_the_doctor_names_what_the_bucket_has_lost_and_tidying_puts_packages_back(
    machine: Settings, tmp_path: Path
) -> None:
    database = Database(machine.database)
    migrate(database)
    populate(database, machine, tmp_path / "drafts", documents=2, predictions=2)
    bucket = open_bucket(machine)
    assert bucket is not None
    with database.transaction() as connection:
        name = connection.scalar(sa.select(tables.datasets.c.name).order_by(tables.datasets.c.name))
        freeze(connection, str(name), actor="ada", folder=machine.artifacts, bucket=bucket)
    assert "holds every package and snapshot" in stores.bucket(machine)
    packages = bucket.keys("versions")
    for key in packages:
        bucket.delete(key)
    with pytest.raises(NerError, match=r"has lost the packages of 1\.2\.0, 1\.1\.0, 1\.0\.0\. .*workbench tidy"):
        stores.bucket(machine)
    rehearsed = tidy(database, machine, is_rehearsal=True)
    assert [one.count for one in rehearsed if one.is_back] == [len(packages)]
    assert [one.count for one in tidy(database, machine) if one.is_back] == [len(packages)]
    assert "holds every package and snapshot" in stores.bucket(machine)
    for key in bucket.keys("snapshots"):
        bucket.delete(key)
    with pytest.raises(NerError, match=r"has lost the snapshots [0-9a-f]{12}"):
        stores.bucket(machine)
    database.close()


def test_a_package_that_was_changed_in_the_bucket_is_refused(
    machine: Settings, objects: OwnObjects, tmp_path: Path
) -> None:
    digest = open_store(machine).add("1.0.0", _draft(tmp_path / "draft"))
    bucket = open_bucket(machine)
    assert bucket is not None
    other = PackageStore(tmp_path / "other", None, Bucket(f"s3://{BUCKET}/forged", objects.url))
    draft = _draft(tmp_path / "forged")
    (draft / "inner" / "words.txt").write_text("Quito\n")
    forged = other.add("1.0.0", draft)
    assert Bucket(f"s3://{BUCKET}/forged", objects.url).fetch(f"versions/1.0.0/{forged}.tar", tmp_path / "forged.tar")
    bucket.put(tmp_path / "forged.tar", f"versions/1.0.0/{digest}.tar")
    with pytest.raises(BrokenPackage, match="not the one that was registered"):
        open_store(_machine(objects, tmp_path, "two")).folder("1.0.0", digest)
    with pytest.raises(BrokenPackage, match="is missing"):
        open_store(_machine(objects, tmp_path, "three")).folder("9.9.9", digest)


def test_a_snapshot_frozen_on_one_machine_is_read_on_another(
    machine: Settings, objects: OwnObjects, database: Database, tmp_path: Path
) -> None:
    line = {"text": "Ada lives in Oslo .", "spans": [{"start": 0, "end": 3, "label": "per"}]}
    (tmp_path / "news.jsonl").write_text(json.dumps(line) + "\n")
    bucket = open_bucket(machine)
    with database.transaction() as connection:
        import_file(connection, tmp_path / "news.jsonl", dataset="news", actor="ada")
        frozen = freeze(connection, "news", actor="ada", folder=machine.artifacts, bucket=bucket)
    elsewhere = _machine(objects, tmp_path, "two")
    [document] = read_snapshot(elsewhere.artifacts, frozen.hash, open_bucket(elsewhere))
    assert document.text == line["text"]
    with pytest.raises(NotFound):
        read_snapshot(elsewhere.artifacts, "0" * 64, open_bucket(elsewhere))
    assert redact_snapshot(machine.artifacts, frozen.hash, document.text, bucket)
    assert read_snapshot(elsewhere.artifacts, frozen.hash, open_bucket(elsewhere)) == []
    assert redact_snapshot(elsewhere.artifacts, frozen.hash, document.text, open_bucket(elsewhere)) is None


@pytest.mark.usefixtures("machine")
def test_a_bucket_that_is_away_or_not_there_is_one_sentence(objects: OwnObjects) -> None:
    with pytest.raises(BucketAway, match=r"s3://nowhere/x cannot be used: .*NoSuchBucket"):
        Bucket("s3://nowhere", objects.url).holds("x")
    with pytest.raises(InvalidSetting, match="is not a bucket's address"):
        Bucket("s3://UPPER", objects.url)


@pytest.mark.usefixtures("machine")
def test_mlflow_keeps_its_artifacts_in_the_bucket(objects: OwnObjects, tmp_path: Path) -> None:
    """With the library and the address that MLflow's server uses for `s3://`."""
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    (tmp_path / "model.bin").write_bytes(b"weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", objects.url)
        store = S3ArtifactRepository(f"s3://{BUCKET}/mlflow/run")
        store.log_artifact(str(tmp_path / "model.bin"), "model")
        assert [found.path for found in store.list_artifacts("model")] == ["model/model.bin"]
        assert Path(store.download_artifacts("model/model.bin")).read_bytes() == b"weights"
    assert boto3.client("s3", endpoint_url=objects.url).head_object(Bucket=BUCKET, Key="mlflow/run/model/model.bin")
