"""A policy for Argo Rollouts, Flagger and the Gateway API, held against the parts of their schemas that it uses."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from api.measures import Measures
from ner.errors import InvalidInput
from registry.policy import Policy, as_policy, default_policy
from registry.policy_exports import CONTROLLERS, Controller, Trial, _wilson, as_yaml, export_policy
from tests.conftest import missing
from workbench.commands import cli

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "controller_schemas.json").read_text())
TRIAL = Trial("1.0.0", "1.1.0")


def _minutes() -> Policy:
    """A policy of minutes, whose steps and criteria are others."""
    criteria = {
        "error_rate": {"limit": 0.05, "on_breach": "hold"},
        "latency_p99_ms": {"limit": 1000, "on_breach": "roll_back"},
    }
    bake = {"shortest_hours": 0.1, "longest_hours": 1}
    return as_policy({"steps_percent": [10, 100], "bake": bake, "false_alarm_rate": 0.01, "criteria": criteria})


def _queries(manifests: list[dict[str, Any]]) -> list[str]:
    found = []
    for manifest in manifests:
        found += [one["provider"]["prometheus"]["query"] for one in manifest["spec"].get("metrics", ())]
        found += [manifest["spec"]["query"]] if "query" in manifest["spec"] else []
    return found


@pytest.mark.parametrize("policy", [default_policy(), _minutes()], ids=["the default", "minutes"])
@pytest.mark.parametrize("to", CONTROLLERS)
def test_every_manifest_follows_the_schema_of_its_kind(to: Controller, policy: Policy) -> None:
    manifests = list(yaml.safe_load_all(as_yaml(export_policy(policy, to, TRIAL))))
    assert manifests
    for manifest in manifests:
        jsonschema.validate(manifest, SCHEMAS[manifest["kind"]])


def test_a_schema_refuses_what_its_controller_would() -> None:
    [canary, *_] = export_policy(default_policy(), "flagger", TRIAL)
    canary["spec"]["analysis"]["interval"] = "24h"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(canary, SCHEMAS["Canary"])
    [rollout, *_] = export_policy(default_policy(), "argo", TRIAL)
    rollout["spec"]["strategy"]["canary"]["steps"][0]["setweight"] = 5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rollout, SCHEMAS["Rollout"])


def test_the_steps_are_the_policys() -> None:
    [rollout, template, route] = export_policy(default_policy(), "argo", TRIAL)
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    assert [step["setWeight"] for step in steps if "setWeight" in step] == [5, 25, 50, 75]
    assert {one["templateName"] for step in steps if "analysis" in step for one in step["analysis"]["templates"]} == {
        template["metadata"]["name"]
    }
    assert (
        rollout["spec"]["strategy"]["canary"]["trafficRouting"]["plugins"]["argoproj-labs/gatewayAPI"]["httpRoute"]
        == (route["metadata"]["name"])
    )
    [canary, *templates] = export_policy(default_policy(), "flagger", TRIAL)
    analysis = canary["spec"]["analysis"]
    assert (analysis["stepWeights"], analysis["interval"]) == ([5, 25, 50, 75], "1440m")
    assert [one["templateRef"]["name"] for one in analysis["metrics"]] == [one["metadata"]["name"] for one in templates]


@pytest.mark.parametrize("percent", [0, 5, 25, 50, 75, 100])
def test_the_weights_of_a_route_sum_to_100(percent: int) -> None:
    [route] = export_policy(default_policy(), "gateway", TRIAL, percent=percent)
    weights = {one["name"]: one["weight"] for one in route["spec"]["rules"][0]["backendRefs"]}
    assert weights == {"api-stable": 100 - percent, "api-canary": percent}


def test_a_share_that_a_controller_cannot_know_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no step of the policy"):
        export_policy(default_policy(), "gateway", TRIAL, percent=6)
    with pytest.raises(InvalidInput, match="no whole percent"):
        export_policy(default_policy(), "gateway", TRIAL, percent=2.5)


def test_a_breach_does_what_the_policy_says() -> None:
    [_, template, _] = export_policy(default_policy(), "argo", TRIAL)
    failing = [one["name"] for one in template["spec"]["metrics"] if one["failureCondition"] != "false"]
    assert failing == ["error-rate-throughout"], "only what is to be rolled back may fail; the rest pauses"
    ends = [one for one in template["spec"]["metrics"] if one["name"].endswith("-at-the-end")]
    assert len(ends) == len(default_policy().criteria)
    # Without a number there is no success, so the rollout waits.
    assert all("!isNaN" in one["successCondition"] and one["inconclusiveLimit"] == 0 for one in ends)


@pytest.mark.parametrize("to", ["argo", "flagger"])
def test_every_query_asks_for_what_the_api_exposes(to: Controller) -> None:
    exposed = Measures().exposition().decode()
    families = {line.split()[2] for line in exposed.splitlines() if line.startswith("# TYPE")}
    elsewhere = {"ner_version_f1", "container_memory_working_set_bytes", "container_spec_memory_limit_bytes"}
    for query in _queries(export_policy(default_policy(), to, TRIAL)):
        for name in re.findall(r"\b((?:ner|container)_[a-z0-9_]+)\{", query):
            family = re.sub(r"_(bucket|count|sum)$", "", name)
            assert name in families | elsewhere or family in families, name


@pytest.mark.parametrize(("exceeding", "served"), [(0, 10), (3, 200), (50, 1000), (999, 1000)])
def test_a_bound_is_wilsons(exceeding: int, served: int) -> None:
    """Against another form of the same interval: the two shares whose own test would just not reject the sample."""
    z, share = 1.96, exceeding / served
    for bound in ("lower", "upper"):
        written = _wilson(str(exceeding), f"{served}.0", z, bound).replace("^", "**")  # type: ignore[arg-type]
        found = eval(written, {"sqrt": math.sqrt})
        assert abs(share - found) == pytest.approx(z * math.sqrt(found * (1 - found) / served), abs=1e-5)


def test_prometheus_accepts_every_query(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        missing("promtool is not installed.")
    queries = [query for to in ("argo", "flagger") for query in _queries(export_policy(_minutes(), to, TRIAL))]  # type: ignore[arg-type]
    queries += _queries(export_policy(default_policy(), "argo", TRIAL))
    rules = [{"record": f"ner:query_{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "exported", "rules": rules}]}))
    checked = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_command_writes_yaml_and_the_same_as_json(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yml"
    policy.write_text(Path("registry/default_policy.yml").read_text().replace("[5, 25, 50, 75, 100]", "[10, 100]"))
    asked = ["policy", "export", "--to", "gateway", "--stable", "1.0.0", "--canary", "1.1.0", "--policy", str(policy)]
    written = CliRunner().invoke(cli, asked)
    assert written.exit_code == 0, written.output
    as_json = json.loads(CliRunner().invoke(cli, [*asked, "--json"]).output)["manifests"]
    assert list(yaml.safe_load_all(written.output)) == as_json
    assert [one["weight"] for one in as_json[0]["spec"]["rules"][0]["backendRefs"]] == [90, 10]
