"""From a metric to a person: real Prometheus and Alertmanager between a real API and its own page of alerts."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ner.database import Database, utc_now
from ner.migrations import migrate
from ner.settings import Settings, secret_key
from registry import webhooks
from registry.deliveries import send_due
from registry.keys import create_key
from registry.rollout import set_stable
from registry.standing import F1_GOLD, Figure, put_figures
from tests.builders import registered
from tests.deploy.monitors import alertmanager, api_process, binary, prometheus
from tests.deploy.test_grafana import EVERY
from tests.receiving import receiving
from tests.running import wait_until

pytestmark = pytest.mark.slow


@dataclass
class Site:
    """Everything that runs, and its database."""

    database: Database
    secret: bytes
    api: str
    prometheus: str
    alertmanager: str
    viewer: dict[str, str]

    def shown(self) -> dict[str, dict[str, Any]]:
        """The open alerts that the workbench shows, by kind."""
        answer = httpx.get(f"{self.api}/api/v1/alerts", headers=self.viewer, timeout=20)
        return {alert["kind"]: alert for alert in answer.json()["alerts"]}

    def firing(self) -> set[str]:
        """What Prometheus says is firing."""
        alerts = httpx.get(f"{self.prometheus}/api/v1/alerts", timeout=20).json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def f1(self, value: float) -> None:
        """Let the worker have measured this F1 of version 1.0.0."""
        with self.database.transaction() as connection:
            put_figures(connection, [Figure("1.0.0", F1_GOLD, value, None, None, 500, utc_now())])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A stable version whose package is missing and whose F1 has dropped; callers get 503."""
    for name in ("prometheus", "prometheus-alertmanager"):
        binary(name)
    scratch: Path = tmp_path_factory.mktemp("monitoring")
    settings = Settings(_env_file=None, home=scratch / "home")  # type: ignore[call-arg]
    database = Database(settings.database)
    migrate(database)
    secret = secret_key(settings)
    with database.transaction() as connection:
        registered(connection, "1.0.0")
        set_stable(connection, "1.0.0", actor="ada")
        _, told = create_key(
            connection, secret, "am", "engineer", rate_limit_per_hour=None, scopes=["alerts"], created_by="ada"
        )
        _, viewer = create_key(connection, secret, "page", "viewer", rate_limit_per_hour=None, created_by="ada")
    with ExitStack() as stack:
        api = stack.enter_context(api_process(settings.home, scratch))
        teller = stack.enter_context(alertmanager(scratch, api, told))
        asker = stack.enter_context(prometheus(scratch, api, teller))
        made = Site(database, secret, api, asker, teller, {"X-API-Key": viewer})
        made.f1(0.5)
        yield made
    database.close()


def test_an_alert_arrives_in_the_workbench_and_at_a_webhook_and_is_closed_when_it_is_over(site: Site) -> None:
    with receiving() as receiver:
        with site.database.transaction() as connection:
            webhooks.create_webhook(
                connection, site.secret, name="chat", url=receiver.url, severities=["critical"], actor="ada"
            )
        wait_until(lambda: "ModelPerformanceDrop" in site.shown(), what="the alert in the workbench")
        alert = site.shown()["ModelPerformanceDrop"]
        assert (alert["subject"], alert["severity"], alert["closed_at"]) == ("1.0.0", "critical", None)
        assert alert["sentence"].startswith("F1 of version 1.0.0 (stable) is 0.500.")
        send_due(site.database, [site.secret], may_be_private=True)
        assert any(b"F1 of version 1.0.0" in request.body for request in receiver.received)

        site.f1(0.9)
        wait_until(lambda: "ModelPerformanceDrop" not in site.shown(), what="the end of the alert")


def test_what_follows_from_a_graver_alert_is_not_told_beside_it(site: Site) -> None:
    def ask() -> bool:
        body = {"text": "John"}
        status = httpx.post(f"{site.api}/api/v1/ner/predict", json=body, headers=site.viewer, timeout=20).status_code
        assert status == 503
        return {"HighErrorRate", "VersionNotLoaded", "NoStableVersion"} <= site.firing()

    wait_until(ask, what="three alerts that fire together")
    wait_until(lambda: "NoStableVersion" in site.shown(), what="the gravest in the workbench")
    assert {"HighErrorRate", "VersionNotLoaded"} & set(site.shown()) == set()


def test_prometheus_finds_the_api_up_and_evaluates_every_rule(site: Site) -> None:
    def problems() -> list[str]:
        groups = httpx.get(f"{site.prometheus}/api/v1/rules", timeout=20).json()["data"]["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    wait_until(lambda: problems() == [], what="every rule evaluated without an error")
    (target,) = httpx.get(f"{site.prometheus}/api/v1/targets", timeout=20).json()["data"]["activeTargets"]
    assert (target["health"], target["labels"]["job"]) == ("up", "ner-api")


def test_prometheus_answers_every_query_of_the_dashboards(site: Site) -> None:
    for case in EVERY:
        answer = httpx.get(f"{site.prometheus}/api/v1/query", params={"query": str(case.values[0])}, timeout=20).json()
        assert answer["status"] == "success", answer
