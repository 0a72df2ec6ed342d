"""What tells people that something is wrong: the rules fire when they should, and reach whom they should."""

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import missing

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = FOLDER / "rules" / "ner.yml"
RULE_TESTS = sorted((FOLDER / "rules").glob("*_test.yml"))
SEED = {
    "HighErrorRate": ("0.05", "5m", "critical", "page_on_call"),
    "HighLatency": ("0.3", "10m", "warning", "notify_team"),
    "ModelPerformanceDrop": ("0.85", "1h", "critical", "page_on_call"),
    "DataDrift": ("0.7", "1d", "warning", "notify_data_team"),
}
RECEIVERS = {"page_on_call": "page-on-call", "notify_team": "team", "notify_data_team": "data-team"}


def run(tool: str, *arguments: object) -> str:
    """What a Debian tool says; its refusal fails the test, its absence skips it."""
    if shutil.which(tool) is None:
        missing(f"{tool} is not installed (Debian packages prometheus and prometheus-alertmanager).")
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert rule by its name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize(("name", "wanted"), SEED.items(), ids=SEED)
def test_an_alert_is_the_one_that_was_asked_for(name: str, wanted: tuple[str, ...]) -> None:
    rule = alerts()[name]
    threshold, lasts, severity, action = wanted
    assert threshold in rule["expr"].replace("\n", " ").split()
    assert (rule["for"], rule["labels"]) == (lasts, {"severity": severity, "action": action})


def test_prometheus_accepts_its_configuration_and_the_rules() -> None:
    assert "SUCCESS" in run("promtool", "check", "config", FOLDER / "prometheus.yml")


@pytest.mark.parametrize("rule_test", RULE_TESTS, ids=lambda path: path.stem)
def test_the_rules_fire_when_they_should_and_not_when_they_should_not(rule_test: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", rule_test)


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    seen: dict[str, set[bool]] = defaultdict(set)
    for path in RULE_TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                seen[case["alertname"]].add(bool(case["exp_alerts"]))
    assert {name: seen[name] for name in alerts()} == {name: {True, False} for name in alerts()}


def test_every_alert_says_in_words_what_is_wrong_and_what_to_do() -> None:
    for name, rule in alerts().items():
        assert set(rule["annotations"]) == {"summary", "description"}, name
        assert rule["annotations"]["description"].endswith("."), name
        assert rule["labels"]["action"] in RECEIVERS, name


def test_alertmanager_accepts_its_configuration() -> None:
    assert "SUCCESS" in run("amtool", "check-config", FOLDER / "alertmanager.yml")


@pytest.mark.parametrize("name", alerts())
def test_an_alert_reaches_who_is_named_by_its_action(name: str) -> None:
    labels = alerts()[name]["labels"]
    given = [f"{key}={value}" for key, value in {"alertname": name, "version": "1.0.0", **labels}.items()]
    said = run("amtool", "config", "routes", "test", f"--config.file={FOLDER / 'alertmanager.yml'}", *given)
    assert said.strip() == RECEIVERS[labels["action"]]


def test_what_nobody_is_named_for_reaches_the_team() -> None:
    said = run("amtool", "config", "routes", "test", f"--config.file={FOLDER / 'alertmanager.yml'}", "alertname=Other")
    assert said.strip() == "team"


def test_every_alert_that_silences_or_is_silenced_exists() -> None:
    named = set()
    for rule in yaml.safe_load((FOLDER / "alertmanager.yml").read_text())["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            named |= set(matcher.split('"')[1].split("|"))
    assert named - set(alerts()) == set()
