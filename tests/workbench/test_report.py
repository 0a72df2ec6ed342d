"""The report: one file that needs nothing else, with the numbers of the API."""

import base64
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from dashboards.tables import NAMES
from tests.workbench.world import BOTH, PLACES, TEXTS, World
from workbench.api_client import ApiClient, ApiError
from workbench.commands import cli
from workbench.commands.server import Server
from workbench.report import make_report


@pytest.fixture
def asked(world: World) -> Iterator[TestClient]:
    """A stable version and a canary that have answered; a label's name would end a script."""
    world.add_stable("1.0.0", PLACES | {"went": "</script><b>"})
    world.add_canary("1.1.0", BOTH)
    with world.api("viewer") as http:
        for text in TEXTS * 2:
            assert http.post("/api/v1/ner/predict", json={"text": text}).is_success
        yield http


def test_the_report_holds_every_part_and_reaches_for_nothing(asked: TestClient) -> None:
    report = make_report(ApiClient(asked))
    own = re.sub(r"<script>.*?</script>", "", report, count=1, flags=re.DOTALL)
    headings = re.findall(r"<h2>(.*?)</h2>", own)
    assert headings == ["The trial of 1.1.0", "Quality", "1.0.0 in depth", "Drift of 1.0.0", "Traffic"]
    assert not re.search(r'(src|href)="(?!data:)', own)
    assert "@import" not in own
    assert "prefers-color-scheme: dark" in own
    assert "(0.00 to " in own  # the interval of the canary's error rate
    assert own.count("</script>") == 1
    drawn = re.search(r"const FIGURES = (.*);\nconst dark", own)
    assert drawn is not None
    pictures = json.loads(drawn[1])
    assert list(pictures) == re.findall(r'<div id="(figure-\d+)">', own)
    assert all(set(themes) == {"light", "dark"} for themes in pictures.values())
    assert len(pictures) >= 17


def test_the_tables_in_the_report_are_those_of_the_api(asked: TestClient) -> None:
    report = make_report(ApiClient(asked))
    embedded = dict(re.findall(r'download="([\w -]+)\.csv" href="data:text/csv;base64,([^"]+)"', report))
    assert {"versions", "labels", "tags", "confusion", "drift", "requests", "canary p95"} <= set(embedded)
    for name in ("versions", "labels", "confusion"):
        assert base64.b64decode(embedded[name]) == asked.get(f"/api/v1/figures/{name}/csv").content


def test_every_table_has_rows_with_the_figures_of_the_dashboards(asked: TestClient) -> None:
    rows = {}
    for name in NAMES:
        answer = asked.get(f"/api/v1/figures/{name}/csv")
        assert answer.headers["content-type"].startswith("text/csv")
        rows[name] = list(csv.DictReader(io.StringIO(answer.text)))
    # This world knows no tags, and a process first writes down what it needs after a minute.
    assert {name for name in NAMES if not rows[name]} <= {"tags", "processes", "loads"}
    assert sum(int(row["requests"]) for row in rows["requests"]) == 2 * len(TEXTS)
    geo = next(row for row in rows["labels"] if row["label"] == "geo")
    assert float(geo["f1_low"]) <= float(geo["f1"]) <= float(geo["f1_high"])
    errors = rows["criteria"][0]
    assert errors["name"] == "error_rate"
    assert float(errors["canary_requests"]) + float(errors["stable_requests"]) == 2 * len(TEXTS)


def test_an_empty_workbench_says_what_there_is_not(world: World) -> None:
    with world.api("viewer") as http:
        report = make_report(ApiClient(http))
        with pytest.raises(ApiError, match="there are versions, labels"):
            ApiClient(http).table("everything")
    for words in ("No version is on trial.", "Nothing is measured yet", "No version is stable yet", "No request was"):
        assert words in report


def test_the_command_writes_the_file_and_refuses_another_kind(
    asked: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "__init__", lambda self: setattr(self, "_http", asked))
    target = tmp_path / "report.html"
    done = CliRunner().invoke(cli, ["report", str(target), "--json"])
    assert json.loads(done.stdout) == {"file": str(target), "bytes": target.stat().st_size}
    assert CliRunner().invoke(cli, ["report", str(tmp_path / "report.pdf")]).exit_code == 1
