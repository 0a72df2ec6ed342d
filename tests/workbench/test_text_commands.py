"""Text, snapshots, labels and lineage by command, against the API on a port of its own."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner

from api.main import create_app
from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings, secret_key
from registry import keys
from registry.bucket import Bucket
from registry.rollout import set_stable
from registry.versions import register
from tests.builders import a_version
from tests.objects import OwnObjects
from tests.running import COMMAND
from workbench.commands import cli

Command = Callable[..., Any]


@pytest.fixture
def command(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs `workbench ... --json` and returns its JSON object."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrate(database)
    with database.transaction() as connection:
        _, key = keys.create_key(
            connection, secret_key(settings), "test", "engineer", rate_limit_per_hour=None, days=None, created_by="test"
        )
    # It listens before the server starts, so that a command may come at once.
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings, database), log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    monkeypatch.setenv("NER_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
    monkeypatch.setenv("NER_API_KEY", key)

    def run(*arguments: str) -> Any:
        done = subprocess.run([COMMAND, *arguments, "--json"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield run
    server.should_exit = True
    thread.join()
    listening.close()
    database.close()


def test_one_command_tells_who_trained_a_version_on_what_and_where_it_went(command: Command, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    trained = a_version("1.0.0", performance={"f1": 0.85, "f1_interval": [0.84, 0.86], "splits": {"train": 900}})
    with database.transaction() as connection:
        register(connection, trained)
        set_stable(connection, "1.0.0", actor="ada", reason="the better one")
    database.close()

    told = command("versions", "show", "1.0.0")
    lines = subprocess.run([COMMAND, "versions", "show", "1.0.0"], capture_output=True, text=True, check=True).stdout

    facts = ("trained_by", "data_version", "git_commit", "hyperparameters")
    assert [told[name] for name in facts] == [getattr(trained, name) for name in facts]
    assert [(one["action"], one["changed_by"]) for one in told["deployments"]] == [("set_stable", "ada")]
    for said in (trained.data_version, trained.git_commit, "85.0 % (95 % interval 84.0 % to 86.0 %)", "the better one"):
        assert said in lines


def test_text_goes_in_is_relabelled_frozen_compared_and_comes_out(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "news.jsonl"
    file.write_text('{"text": "Ada in Rome", "spans": [[0, 3, "per"], [1, 2, "x"]]}\n{"text": "Waits."}\n')
    dataset = ("--dataset", "news")

    imported = command("import", str(file), *dataset)
    before = command("snapshots", "freeze", *dataset)["hash"]
    preview = command("labels", "change", "rename", "per", "--target", "person", "--preview", *dataset)
    made = command("labels", "change", "rename", "per", "--target", "person", *dataset)
    after = command("snapshots", "freeze", *dataset)["hash"]
    diff = command("snapshots", "diff", before[:10], after[:10])
    judged = command("snapshots", "judgements", after[:10])
    listed = command("labels", "list", *dataset)["changes"]
    undone = command("labels", "undo", made["id"], *dataset)
    report = command("export", "--format", "conll", "--report", *dataset)
    exported = command("export", "--format", "conll", "--scheme", "BILOU", "--output", str(tmp_path / "x"), *dataset)
    again = [
        command("snapshots", "export", after[:10], "--format", "brat", "--output", str(tmp_path / name))
        for name in ("one.zip", "two.zip")
    ]

    assert (imported["added"], imported["entities"]) == (2, {"per": 1, "x": 1})
    assert (preview["id"], preview["documents"], made["spans"]) == (None, 1, {"per": 1})
    assert (diff["spans"], diff["documents_changed"]) == ({"label": 1}, 1)
    assert judged == {"documents": []}
    assert [one["id"] for one in listed] == [made["id"]]
    assert undone["labels"] == ["per", "x"]
    assert (exported["documents"], exported["losses"]) == (1, report["losses"])
    assert (tmp_path / "x").read_text() == "Ada\tU-per\nin\tO\nRome\tO\n\n"
    assert again[0] == again[1]
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_name_of_the_hub_is_refused_in_a_sentence_and_a_missing_file_is_a_misuse() -> None:
    hub = CliRunner().invoke(cli, ["import", "owner/name", "--dataset", "x", "--format", "huggingface"])
    missing = CliRunner().invoke(cli, ["import", "nothing.txt", "--dataset", "x"])

    assert "is not fetched by its name: save it with save_to_disk" in str(hub.exception)
    assert missing.exit_code == 2


def test_an_export_needs_a_file_or_a_report() -> None:
    assert CliRunner().invoke(cli, ["export", "--dataset", "x", "--format", "jsonl"]).exit_code == 2


def test_a_dataset_is_written_to_a_bucket(
    command: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "news.jsonl"
    file.write_text('{"text": "Ada in Rome", "spans": [[0, 3, "per"]]}\n')
    command("import", str(file), "--dataset", "news")
    with OwnObjects(tmp_path_factory.mktemp("objects"), "exports") as objects:
        for name, value in (objects.environment() | {"NER_S3_ENDPOINT_URL": objects.url}).items():
            monkeypatch.setenv(name, value)
        asked = ("export", "--dataset", "news", "--format", "jsonl", "--output")
        assert command(*asked, "s3://exports/2026/news.jsonl")["documents"] == 1
        assert Bucket("s3://exports/2026", objects.url).fetch("news.jsonl", tmp_path / "back.jsonl")
        assert json.loads((tmp_path / "back.jsonl").read_text())["text"] == "Ada in Rome"
        misused = subprocess.run([COMMAND, *asked, "s3://exports"], capture_output=True, text=True, check=False)
        assert (misused.returncode, "names no object" in misused.stderr) == (2, True)
