"""A rollout policy in the words of other controllers: Argo Rollouts, Flagger, and routes of the Gateway API.

The workbench's own controller needs none of them; they are for clusters in which releases of everything go one way.
What these controllers cannot do is a sequential test. So every criterion of requests is asked with Wilson's bounds:
more than the limit only when even the lower bound is, kept only when even the upper bound is, and neither where there
were too few requests. The chance of a false alarm is shared among the looks (Bonferroni).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal, get_args

import yaml

from ner.errors import InvalidInput
from registry.policy import Criterion, Policy

Controller = Literal["argo", "flagger", "gateway"]
Manifest = dict[str, Any]

CONTROLLERS: tuple[Controller, ...] = get_args(Controller)
_ROUTES = "/api/v1/ner/predict|/api/v1/ner/batch"
_LOOKS_MINUTES = 10
_PORT = 8000


@dataclass(frozen=True, slots=True)
class Trial:
    """Which versions, of which Deployment. `prometheus`: address of the server that scrapes the API."""

    stable: str
    canary: str
    workload: str = "api"
    namespace: str = "ner-production"
    prometheus: str = "http://prometheus.monitoring:9090"


def export_policy(policy: Policy, to: Controller, trial: Trial, *, percent: float | None = None) -> list[Manifest]:
    """The policy as manifests. `percent`: the share of a Gateway API route, the policy's first step unless given.

    Raises InvalidInput for a share that is no whole percent, or no step of the policy.
    """
    weights = [_weight(step) for step in policy.steps_percent]
    if to == "argo":
        return [_rollout(weights, trial), _analysis_template(policy, trial), _route(0, trial)]
    if to == "flagger":
        return [_canary(policy, weights, trial), *(_metric_template(policy, one, trial) for one in policy.criteria)]
    chosen = weights[0] if percent is None else _weight(percent)
    if chosen not in {0, *weights}:
        raise InvalidInput(f"{chosen} % is no step of the policy; its steps are {', '.join(map(str, weights))} %.")
    return [_route(chosen, trial)]


def as_yaml(manifests: Sequence[Manifest]) -> str:
    """The manifests as one YAML file."""
    return str(yaml.safe_dump_all(manifests, sort_keys=False, width=120))


def _weight(percent: float) -> int:
    if percent != int(percent):
        raise InvalidInput(f"{percent:g} % is no whole percent, which is all that these controllers know.")
    return int(percent)


def _meta(name: str, trial: Trial) -> dict[str, Any]:
    return {"name": name, "namespace": trial.namespace}


# ------------------------------------------------------------------ Argo Rollouts


def _rollout(weights: Sequence[int], trial: Trial) -> Manifest:
    # At 100 % nothing is left to compare: the last step is the promotion itself.
    steps: list[Manifest] = []
    for weight in (one for one in weights if one < 100):
        steps += [{"setWeight": weight}, {"analysis": {"templates": [{"templateName": f"{trial.workload}-policy"}]}}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": _meta(trial.workload, trial),
        "spec": {
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": trial.workload},
            "selector": {"matchLabels": {"app.kubernetes.io/name": trial.workload}},
            "strategy": {
                "canary": {
                    "stableService": f"{trial.workload}-stable",
                    "canaryService": f"{trial.workload}-canary",
                    # The share of the traffic is the route's, whatever the number of replicas is.
                    "trafficRouting": {
                        "plugins": {
                            "argoproj-labs/gatewayAPI": {"httpRoute": trial.workload, "namespace": trial.namespace}
                        }
                    },
                    "steps": steps,
                }
            },
        },
    }


def _analysis_template(policy: Policy, trial: Trial) -> Manifest:
    looks = max(1, int(policy.shortest_hours * 60 / _LOOKS_MINUTES))
    metrics = [_watched(policy, one, looks, trial) for one in policy.criteria if one.on_breach == "roll_back"]
    metrics += [_decided(policy, one, trial) for one in policy.criteria]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": _meta(f"{trial.workload}-policy", trial),
        "spec": {"metrics": metrics},
    }


def _watched(policy: Policy, criterion: Criterion, looks: int, trial: Trial) -> Manifest:
    """Throughout a step: certain to be in breach, it is rolled back at once; anything else is no verdict."""
    query = _query(criterion, trial.canary, trial.stable, _window(policy), _z(policy, looks), "lower")
    exceeds = f"len(result) > 0 && !isNaN(result[0]) && result[0] > {_limit(criterion):g}"
    return {
        "name": f"{_name(criterion)}-throughout",
        "interval": f"{_LOOKS_MINUTES}m",
        "count": looks,
        "failureLimit": 0,
        "inconclusiveLimit": looks,
        "consecutiveErrorLimit": looks,
        "successCondition": f"!({exceeds})",
        "failureCondition": exceeds,
        "provider": _argo_provider(query, trial),
    }


def _decided(policy: Policy, criterion: Criterion, trial: Trial) -> Manifest:
    """At the end of a step: kept with certainty, or the rollout waits for a person. No traffic is no promise kept."""
    query = _query(criterion, trial.canary, trial.stable, _window(policy), _z(policy, 1), "upper")
    return {
        "name": f"{_name(criterion)}-at-the-end",
        "initialDelay": _window(policy),
        "count": 1,
        "failureLimit": 0,
        "inconclusiveLimit": 0,
        "successCondition": f"len(result) > 0 && !isNaN(result[0]) && result[0] <= {_limit(criterion):g}",
        "failureCondition": "false",
        "provider": _argo_provider(query, trial),
    }


def _argo_provider(query: str, trial: Trial) -> Manifest:
    return {"prometheus": {"address": trial.prometheus, "query": query}}


# ------------------------------------------------------------------ Flagger


def _canary(policy: Policy, weights: Sequence[int], trial: Trial) -> Manifest:
    window = _window(policy)
    steps = [weight for weight in weights if weight < 100]
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": _meta(trial.workload, trial),
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": trial.workload},
            "service": {"port": _PORT, "gatewayRefs": [{"name": "public", "namespace": trial.namespace}]},
            "analysis": {
                # A step lasts one interval. The first check that fails ends the trial.
                "interval": window,
                "threshold": 1,
                "stepWeights": steps or [100],
                "metrics": [
                    {
                        "name": _name(one),
                        "templateRef": {"name": f"{trial.workload}-{_name(one)}", "namespace": trial.namespace},
                        "thresholdRange": {"max": _limit(one)},
                        "interval": window,
                    }
                    for one in policy.criteria
                ],
            },
        },
    }


def _metric_template(policy: Policy, criterion: Criterion, trial: Trial) -> Manifest:
    looks = len(policy.steps_percent)
    bound: Literal["lower", "upper"] = "lower" if criterion.on_breach == "roll_back" else "upper"
    query = _query(criterion, trial.canary, trial.stable, _window(policy), _z(policy, looks), bound)
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "MetricTemplate",
        "metadata": _meta(f"{trial.workload}-{_name(criterion)}", trial),
        "spec": {"provider": {"type": "prometheus", "address": trial.prometheus}, "query": query},
    }


# ------------------------------------------------------------------ Gateway API


def _route(percent: int, trial: Trial) -> Manifest:
    services = ((f"{trial.workload}-stable", 100 - percent), (f"{trial.workload}-canary", percent))
    backends = [{"name": name, "port": _PORT, "weight": weight} for name, weight in services]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": _meta(trial.workload, trial),
        "spec": {
            "parentRefs": [{"name": "public"}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": path}} for path in ("/api/v1", "/v2")],
                    "backendRefs": backends,
                }
            ],
        },
    }


# ------------------------------------------------------------------ what is asked of Prometheus


def _query(
    criterion: Criterion, canary: str, stable: str, window: str, z: float, bound: Literal["lower", "upper"]
) -> str:
    if criterion.name == "f1_drop":
        by = 'max(ner_version_f1{{basis="gold",version="{}"}})'
        return f"{by.format(stable)} - {by.format(canary)}"
    if criterion.name == "memory_share":
        pod = '{container="api"}'
        return f"max(container_memory_working_set_bytes{pod} / (container_spec_memory_limit_bytes{pod} > 0))"
    of = f'route=~"{_ROUTES}",version="{canary}"'
    served = f"sum(increase(ner_requests_total{{{of}}}[{window}]))"
    if criterion.slower_than_ms is None:
        exceeding = f'(sum(increase(ner_requests_total{{{of},status=~"5.."}}[{window}])) or vector(0))'
    else:
        edge = float(criterion.slower_than_ms / 1000)
        counted = f"sum(increase(ner_request_seconds_count{{{of}}}[{window}]))"
        within = f'sum(increase(ner_request_seconds_bucket{{{of},le="{edge!r}"}}[{window}]))'
        served, exceeding = counted, f"({counted} - {within})"
    return _wilson(exceeding, served, z, bound)


def _wilson(exceeding: str, served: str, z: float, bound: Literal["lower", "upper"]) -> str:
    """One end of Wilson's interval for a proportion (Wilson, 1927), in PromQL; NaN where nothing was served."""
    sign, square = ("-" if bound == "lower" else "+"), z * z
    share = f"({exceeding} / {served})"
    spread = f"sqrt({share} * (1 - {share}) / {served} + {square / 4:.6g} / ({served} ^ 2))"
    return f"({share} + {square / 2:.6g} / {served} {sign} {z:.6g} * {spread}) / (1 + {square:.6g} / {served})"


def _limit(criterion: Criterion) -> float:
    return criterion.allowed_share if criterion.allowed_share is not None else criterion.limit


def _z(policy: Policy, looks: int) -> float:
    return NormalDist().inv_cdf(1 - policy.false_alarm_rate / looks)


def _window(policy: Policy) -> str:
    # In minutes: Flagger knows no hours.
    return f"{max(1, math.ceil(policy.shortest_hours * 60))}m"


def _name(criterion: Criterion) -> str:
    return criterion.name.replace("_", "-")
