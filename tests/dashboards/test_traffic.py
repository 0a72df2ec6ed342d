import dataclasses
import datetime as dt
import json
import random
from pathlib import Path

import numpy as np
import pytest

from dashboards.traffic import traffic
from dashboards.trial import trial
from ner.database import Database, utc_now
from ner.tables import rollouts
from registry.policy import Policy, default_policy
from registry.process_reports import ProcessReport, report, withdraw
from registry.process_samples import Sampler, write_sample
from registry.rollout import current_rollout, promote, set_canary, set_stable
from registry.tallies import Counters
from tests.builders import registered
from tests.dashboards.traffic_log import logged, write_log


def test_figures_are_those_of_the_rows_when_two_versions_answer(database: Database) -> None:
    generator = random.Random(1)
    slow = [generator.lognormvariate(3, 1) for _ in range(400)]
    rows = [logged(latency_ms=latency, cached=place % 4 == 0) for place, latency in enumerate(slow)]
    rows += [
        logged(version="1.1.0", variant="canary", latency_ms=50.0, status=500 if n < 10 else 200) for n in range(90)
    ]
    rows += [logged(version="1.1.0", variant="canary", latency_ms=50.0, status=422) for _ in range(10)]
    rows.append(logged(at=utc_now() - dt.timedelta(hours=3)))
    with database.transaction() as connection:
        write_log(connection, rows)
        found = traffic(connection, hours=2)
    assert json.loads(json.dumps(found)) == found
    total, (stable, canary) = found["total"], found["arms"]
    assert (total["requests"], total["errors_4xx"], total["errors_5xx"]) == (500, 10, 10)
    assert total["error_rate"] == 10 / 500
    assert total["refused_rate"] == 10 / 500
    assert total["throughput"] == pytest.approx(500 / 7200, rel=0.01)
    assert (stable["version"], stable["variant"], stable["share"]) == ("1.0.0", "stable", 0.8)
    assert stable["cache_hit_rate"] == 0.25
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        exact = np.quantile(slow, share, method="inverted_cdf")
        assert stable[name] == pytest.approx(exact, rel=0.05, abs=0.05)
    assert (canary["error_rate"], canary["p50"], canary["share"]) == (0.1, pytest.approx(50, rel=0.05), 0.2)
    assert found["trial"] is None


def test_every_bucket_is_there_when_requests_come_in_two_of_them(database: Database) -> None:
    now = utc_now()
    rows = [logged(at=now - dt.timedelta(minutes=minutes)) for minutes in (2, 2, 40)]
    with database.transaction() as connection:
        write_log(connection, rows)
        found = traffic(connection, hours=1)
    series = found["series"]
    assert found["bucket_seconds"] == 60
    assert len(series) in (61, 62)
    assert sorted(row["requests"] for row in series)[-3:] == [0, 1, 2]
    assert [row["at"] for row in series] == sorted(row["at"] for row in series)
    assert sum(row["requests"] for row in found["arm_series"]) == 3
    silent = next(row for row in series if row["requests"] == 0)
    assert (silent["p95"], silent["error_rate"], silent["throughput"]) == (None, None, 0)


def test_nothing_breaks_when_nothing_was_asked(database: Database) -> None:
    with database.reading() as connection:
        found = traffic(connection, hours=24)
    assert found["total"]["requests"] == 0
    assert found["total"]["p95"] is None
    assert found["arms"] == []


def test_the_resources_of_a_process_are_those_that_it_wrote_down(database: Database, tmp_path: Path) -> None:
    sampler = Sampler("host:1", "api", tmp_path, lambda: {"1.0.0": 0.25})
    with database.transaction() as connection:
        for _ in range(3):
            write_sample(connection, sampler.sample())
        write_sample(
            connection, dataclasses.replace(sampler.sample(), process="host:0", at=utc_now() - dt.timedelta(hours=1))
        )
        found = traffic(connection, hours=2)["processes"]
    gone, alive = found
    assert (alive["process"], alive["is_alive"], alive["load_seconds"]) == ("host:1", True, {"1.0.0": 0.25})
    assert (gone["process"], gone["is_alive"]) == ("host:0", False)
    assert alive["cpu_cores"] >= 0
    assert 0 < alive["memory_share"] < 1
    assert 0 < alive["disk_share"] <= 1
    assert len(alive["series"]) in (1, 2)


def on_trial(database: Database) -> None:
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0")
        set_stable(connection, "1.0.0", actor="ada")
        set_canary(connection, "1.1.0", 5, actor="ada")
    reported(database)


def reported(database: Database) -> None:
    """An API process says that it follows the rollout of now."""
    with database.transaction() as connection:
        epoch = current_rollout(connection).epoch
        report(connection, ProcessReport("api:1", utc_now(), epoch, 0.4, 0.0))


def requests_only() -> Policy:
    """The default policy without what no request shows."""
    policy = default_policy()
    return dataclasses.replace(policy, criteria=policy.rate_criteria)


def test_the_trial_has_no_verdict_when_the_canary_has_answered_nothing(database: Database) -> None:
    on_trial(database)
    with database.reading() as connection:
        trial = traffic(connection)["trial"]
    assert (trial["canary"], trial["stable"], trial["percent"]) == ("1.1.0", "1.0.0", 5)
    assert (trial["verdict"], trial["automatic"]) == ("not enough evidence", None)
    assert "Error rate, p95 latency, p99 latency: The canary has answered no request" in trial["sentence"]
    assert [criterion["name"] for criterion in trial["criteria"]] == [
        *("error_rate", "latency_p95_ms", "latency_p99_ms", "f1_drop", "memory_share"),
    ]


def test_the_trial_says_for_how_long_the_canary_has_answered_nothing(database: Database) -> None:
    on_trial(database)
    with database.transaction() as connection:
        connection.execute(rollouts.update().values(changed_at=utc_now() - dt.timedelta(hours=3)))
        found = trial(connection)
    assert found is not None
    assert found["sentence"].startswith("1.1.0 has answered nothing in 3 hours with this share. Error rate, p95")


def test_no_time_is_promised_for_requests_that_do_not_come_in_any_more(database: Database) -> None:
    on_trial(database)
    began = utc_now() - dt.timedelta(hours=3)
    with database.transaction() as connection:
        connection.execute(rollouts.update().values(changed_at=began))
        soon = began + dt.timedelta(minutes=5)
        write_log(connection, [logged(at=soon, version="1.1.0", variant="canary") for _ in range(30)])
        found = trial(connection)
    assert found is not None
    assert "answered nothing for 3 hours" in found["sentence"]
    errors = found["criteria"][0]
    assert errors["requests_to_go"] > 0
    assert errors["minutes_to_go"] is None


def test_the_trial_says_that_it_knows_nothing_when_no_process_reports(database: Database) -> None:
    on_trial(database)
    with database.transaction() as connection:
        withdraw(connection, "api:1")
        trial = traffic(connection)["trial"]
    assert trial["is_stale"]
    assert "No API process has reported" in trial["sentence"]


@pytest.mark.parametrize(
    ("failing", "stable_failing", "verdict", "words"),
    [
        (0, 0, "pass", "keeps every limit"),
        (40, 0, "fail", "1.1.0 breaks a limit. Error rate: 40 of 400 requests failed"),
        (40, 80, "not enough evidence", "this is not the canary's doing"),
        (4, 0, "not enough evidence", "not shown enough yet: about"),
    ],
)
def test_the_trial_is_judged_on_requests_since_it_began_when_the_canary_answers(
    database: Database, failing: int, stable_failing: int, verdict: str, words: str
) -> None:
    on_trial(database)
    now = utc_now() + dt.timedelta(seconds=1)
    rows = [logged(at=now, version="1.1.0", variant="canary", status=500 if n < failing else 200) for n in range(400)]
    rows += [logged(at=now, status=500 if n < stable_failing else 200) for n in range(800)]
    rows += [logged(version="1.1.0", variant="canary", status=500) for _ in range(50)]  # before the trial
    with database.transaction() as connection:
        write_log(connection, rows)
        trial = traffic(connection, policy=requests_only())["trial"]
    assert trial["criteria"][0]["canary"] == {"exceeded": failing, "requests": 400, "share": failing / 400}
    assert trial["verdict"] == verdict
    assert words in trial["sentence"]


def test_the_verdict_is_the_same_when_counters_are_kept_between_questions(database: Database) -> None:
    on_trial(database)
    kept: Counters = {}
    for failing in (0, 3, 30):
        now = utc_now()
        rows = [
            logged(at=now, version="1.1.0", variant="canary", status=500 if n < failing else 200) for n in range(100)
        ]
        with database.transaction() as connection:
            write_log(connection, [*rows, *(logged(at=now) for _ in range(200))])
            fresh = traffic(connection, policy=requests_only())["trial"]
            again = traffic(connection, policy=requests_only(), counters=kept)["trial"]
        for name in ("verdict", "canary", "life", "stable"):
            assert [one[name] for one in again["criteria"]] == [one[name] for one in fresh["criteria"]]
    assert len(kept) == 1
    with database.transaction() as connection:
        set_canary(connection, "1.1.0", 25, actor="ada")
        errors = traffic(connection, policy=requests_only(), counters=kept)["trial"]["criteria"][0]
    assert (errors["life"]["requests"], errors["canary"]["requests"]) == (300, 0)


def test_a_larger_share_goes_on_with_the_same_trial_when_it_is_raised(database: Database) -> None:
    on_trial(database)
    with database.transaction() as connection:
        write_log(connection, [logged(at=utc_now(), version="1.1.0", variant="canary") for _ in range(7)])
    with database.transaction() as connection:
        set_canary(connection, "1.1.0", 25, actor="ada")
        errors = traffic(connection)["trial"]["criteria"][0]
        assert (errors["life"]["requests"], errors["canary"]["requests"]) == (7, 0)
        promote(connection, actor="ada")
        assert traffic(connection)["trial"] is None
