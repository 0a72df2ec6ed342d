"""`workbench audit verify` against a server that is older than the command."""

from typing import Any

import pytest
from click.testing import CliRunner

from ner.errors import NerError
from workbench.commands.audit import audit
from workbench.commands.server import Server


@pytest.fixture(autouse=True)
def _older_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(_server: Server, _path: str, **_query: Any) -> dict[str, Any]:
        return {"ok": True, "entries": 3, "problem": None}

    monkeypatch.setattr(Server, "__init__", lambda _server: None)
    monkeypatch.setattr(Server, "get", get)


def test_a_check_without_an_end_is_told() -> None:
    told = CliRunner().invoke(audit, ["verify"], catch_exceptions=False)
    assert "All 3 entries hold." in told.output


def test_what_was_noted_is_not_said_to_hold_when_nobody_looked_at_it() -> None:
    with pytest.raises(NerError, match="older than --noted"):
        CliRunner().invoke(audit, ["verify", "--noted", f"3:{'0' * 64}"], catch_exceptions=False)
