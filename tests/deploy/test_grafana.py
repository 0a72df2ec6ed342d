"""The dashboards ask for nothing that the API does not show."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ner.database import Database, utc_now
from ner.migrations import migrate
from ner.settings import Settings
from registry.heartbeats import WORKER, beat
from registry.standing import F1_ESTIMATE, F1_GOLD, VOCABULARY_OVERLAP, Figure, put_figures
from tests.api.rooms import BREAKS, open_room
from tests.deploy.test_monitoring import FOLDER, RULES, run

GRAFANA = FOLDER / "grafana"
BOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
FROM_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "version", "instance", "job"}}
BY_SCRAPING = {"job", "instance"}
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_GROUPED = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)")
_SELECTED = re.compile(rf"({_NAME})\s*\{{([^}}]*)\}}")


def board(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def queries(path: Path) -> Iterator[tuple[str, str]]:
    """Where a query stands, and the query with Grafana's own variables filled in."""
    content = board(path)
    asked = [(panel["title"], target["expr"]) for panel in content["panels"] for target in panel.get("targets", ())]
    asked += [(f"annotation {note['name']}", note["expr"]) for note in content["annotations"]["list"]]
    for title, query in asked:
        yield title, query.replace("$__rate_interval", "5m").replace("$version", ".+")


EVERY = [pytest.param(query, id=f"{path.stem}: {title}") for path in BOARDS for title, query in queries(path)]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every sample of a running API that has seen a canary, failures, cached answers and figures: its labels."""
    home = tmp_path_factory.mktemp("exposed")
    settings = Settings(_env_file=None, home=home, secret_key="a key for tests")  # type: ignore[call-arg]
    store = Database(f"sqlite:///{home / 'test.db'}")
    migrate(store)
    room = open_room(settings, store)
    with room.client:
        room.stable()
        room.canary("1.1.0", 50, breaks=True)
        (home / "artifacts" / "versions" / "0.9.0").mkdir()
        for text in ["John", "John", *(f"Ada {number} {BREAKS}" for number in range(12))]:
            room.predict(text, room.headers())
        names = (F1_GOLD, F1_ESTIMATE, VOCABULARY_OVERLAP)
        with store.transaction() as connection:
            put_figures(connection, [Figure("1.0.0", name, 0.9, 0.8, 1.0, 9, utc_now()) for name in names])
            beat(connection, WORKER, utc_now())
        room.app.state.wiring.gauges.refresh()
        text = room.client.get("/metrics").text
    store.close()
    found: dict[str, set[str]] = {name: set(labels) for name, labels in FROM_PROMETHEUS.items()}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set(BY_SCRAPING)).update(sample.labels)
    return found


@pytest.fixture(scope="module")
def known(exposed: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is exposed, and what the rules record of it."""
    recorded: dict[str, set[str]] = {}
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            if "record" in rule:
                grouped = {label.strip() for part in _GROUPED.findall(rule["expr"]) for label in part.split(",")}
                recorded[rule["record"]] = grouped - {"le", ""}
    return exposed | recorded


def unknown_parts(query: str, known: dict[str, set[str]]) -> list[str]:
    """Metrics that a query names and nobody exposes, and labels that its metrics do not have."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', query)
    problems = [
        f"{metric} has no label {label}"
        for metric, selectors in _SELECTED.findall(bare)
        for label in re.findall(rf"({_NAME})\s*(?:=~|!~|!=|=)", selectors)
        if label not in known.get(metric, set())
    ]
    without = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", bare)
    metrics = set(re.findall(rf"\b((?:ner|process)[_:]{_NAME}|up|ALERTS)\b", without))
    problems += [f"{metric} is not exposed" for metric in metrics - set(known)]
    had = set().union(*(known.get(metric, set()) for metric in metrics))
    grouped = {label.strip() for part in _GROUPED.findall(without) for label in part.split(",")} - {""}
    return [*problems, *(f"no metric here has the label {label}" for label in sorted(grouped - had))]


@pytest.mark.parametrize("query", EVERY)
def test_a_panel_asks_for_metrics_and_labels_that_the_api_shows(query: str, known: dict[str, set[str]]) -> None:
    assert unknown_parts(query, known) == []


def test_a_rule_reads_metrics_and_labels_that_the_api_shows(known: dict[str, set[str]]) -> None:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert unknown_parts(rule["expr"], known) == [], rule


def test_a_mistake_in_a_query_is_found(known: dict[str, set[str]]) -> None:
    assert unknown_parts('sum by (verson) (rate(ner_request_total{rout="x"}[5m]))', known) == [
        "ner_request_total has no label rout",
        "ner_request_total is not exposed",
        "no metric here has the label verson",
    ]


def test_prometheus_can_parse_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"panel_{number}", "expr": case.values[0]} for number, case in enumerate(EVERY)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(EVERY)} rules found" in run("promtool", "check", "rules", tmp_path / "panels.yml")


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_board_is_whole(path: Path) -> None:
    content = board(path)
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert f'"uid": "{source["uid"]}"' in path.read_text()
    assert set(re.findall(r'"type": "prometheus",\s+"uid": "([^"]+)"', path.read_text())) == {source["uid"]}
    panels = content["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and (panel["type"] == "row" or panel["description"].endswith(".")) for panel in panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells), "two panels overlap"
    assert max(x for x, _ in cells) < 24


def test_the_boards_show_what_they_were_asked_to_show() -> None:
    titles = {panel["title"] for path in BOARDS for panel in board(path)["panels"]}
    asked = {"Requests a second", "Latency", "Texts at which a version failed", "Share of texts by version"}
    asked |= {"Looks into the cache", "Processors", "Memory", "Disk left"}
    asked |= {
        "F1 on gold",
        "Confidence of entities",
        "Entity mix",
        "Vocabulary overlap",
        "F1 today, yesterday, last week",
    }
    assert asked - titles == set()
