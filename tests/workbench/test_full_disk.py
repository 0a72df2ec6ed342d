"""A command that meets a full disk says so in one sentence."""

import errno
import os
import sqlite3

import pytest

from workbench import commands

FULL = {
    "a file": (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/srv/ner/backup"), "/srv/ner/backup"),
    "a quota": (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "/srv/ner/backup"), "/srv/ner/backup"),
    "SQLite": (sqlite3.OperationalError("database or disk is full"), "NER_HOME"),
}


@pytest.mark.parametrize(("trouble", "where"), FULL.values(), ids=FULL)
def test_a_full_disk_is_one_sentence(
    trouble: Exception, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(**_: object) -> None:
        raise trouble

    monkeypatch.setattr(commands, "cli", run)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: The disk of {where}")
    assert "is full. Make room first" in said
    assert len(said.splitlines()) == 1


def test_another_trouble_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(**_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "/srv/ner/backup")

    monkeypatch.setattr(commands, "cli", run)
    with pytest.raises(OSError, match="Input/output error"):
        commands.main()
