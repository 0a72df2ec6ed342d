"""Every command of the runbooks is one that there is, and does what the page says, on an installation that runs."""

import re
import shlex
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
import uvicorn
from click.testing import CliRunner

from api.main import create_app
from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from registry import keys
from tests.api.rooms import load_dictionary
from tests.conftest import missing
from tests.populated import populate
from tests.running import ROOT
from training.upkeep.restic import is_installed
from workbench.commands import cli

PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
FAILURES = ("bad-version", "bucket-lost", "database-lost", "full-disk", "leaked-key", "region-lost")
# What is not the workbench's own: the shell's, and what starts everything.
FOREIGN = {"mv", "export", "make", "du", "sqlite3"}


def _lines(page: Path) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def _commands(page: Path) -> list[list[str]]:
    return [words[1:] for words in _lines(page) if words[0] == "workbench"]


def test_there_is_a_page_for_each_failure() -> None:
    assert {page.stem for page in PAGES} == {*FAILURES, "index"}
    index = (ROOT / "docs" / "runbooks" / "index.md").read_text()
    assert all(f"({name}.md)" in index for name in FAILURES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one_that_there_is(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "complaints.jsonl").write_text("")
    assert {words[0] for words in _lines(page)} <= {"workbench", *FOREIGN}
    for words in _commands(page):
        command: click.Command = cli
        rest = list(words)
        context = click.Context(cli)
        while isinstance(command, click.Group) and (rest or not command.invoke_without_command):
            found = command.get_command(context, rest.pop(0))
            assert found is not None, words
            command = found
        command.make_context(" ".join(words), rest)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A populated installation whose API answers on a port of its own; commands find it by their environment."""
    if not is_installed():
        missing("restic is not installed.")
    settings = Settings(_env_file=None, home=tmp_path / "home")  # type: ignore[call-arg]
    database = Database(settings.database)
    migrate(database)
    key = populate(database, settings, tmp_path / "drafts")
    (settings.home / "admin.key").write_text(key)
    app = create_app(settings, database, tagger_loader=load_dictionary)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workbench.commands.local.load_tagger", load_dictionary)
    for name, value in {
        "NER_HOME": str(settings.home),
        "NER_URL": f"http://127.0.0.1:{listening.getsockname()[1]}",
        "NER_BACKUP_REPOSITORY": str(tmp_path / "repository"),
        "NER_BACKUP_PASSWORD": "kept elsewhere",
    }.items():
        monkeypatch.setenv(name, value)
    # Each command is a process of its own elsewhere, and leaves its connection to the end of that.
    opened: list[httpx.Client] = []
    make = httpx.Client

    def noted(**given: Any) -> httpx.Client:
        opened.append(make(**given))
        return opened[-1]

    monkeypatch.setattr(httpx, "Client", noted)
    (tmp_path / "complaints.jsonl").write_text(
        '{"text": "John was here", "spans": [{"start": 0, "end": 4, "label": "per"}]}\n'
    )
    yield settings
    for client in opened:
        client.close()
    server.should_exit = True
    thread.join()
    database.close()


def test_the_commands_do_what_the_pages_say_when_they_are_run(
    installation: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(installation.database)
    with database.transaction() as connection:
        leaked, _ = keys.create_key(connection, b"any", "leaked", "viewer", rate_limit_per_hour=None, created_by="ada")
    database.close()
    assert CliRunner().invoke(cli, ["backup"]).exit_code == 0

    restores = 0
    for page in PAGES:
        for words in _commands(page):
            if words == ["restart"]:
                # Nothing here was started by a launcher; tests/workbench/test_restarting.py is about that.
                continue
            given = [leaked if word == "ID" else word for word in words]
            if given[0] == "restore":
                restores += 1
                monkeypatch.setenv("NER_HOME", str(tmp_path / f"elsewhere {restores}"))
            outcome = CliRunner().invoke(cli, given)
            monkeypatch.setenv("NER_HOME", str(installation.home))
            if given[0] == "doctor":
                # Not everything runs here that it looks for; it says so, and does not break.
                assert "Traceback" not in outcome.output
                assert outcome.exit_code in (0, 1)
                continue
            assert outcome.exit_code == 0, (page.stem, words, outcome.output, outcome.exception)
    assert restores == 3
