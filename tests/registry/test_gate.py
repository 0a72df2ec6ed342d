"""The gate: pass, fail, or not enough evidence, each with its reason; and what the audit keeps of an override."""

from typing import Any

import pytest

from ner.database import Database
from ner.errors import Conflict
from registry import audit, rollout
from registry.gate import judge
from registry.versions import register
from tests.builders import a_version, registered


def _figures(low: float, high: float, *, entities: int = 500, broken: int = 0) -> dict[str, Any]:
    change = {"difference": (low + high) / 2, "low": low, "high": high}
    return {
        "entities": entities,
        "baseline": {"version": "1.0.0", "difference": change},
        "behaviour": {"examples": 2, "broken": [{"text": "Ada met Bob .", "expected": [], "found": []}] * broken},
    }


@pytest.mark.parametrize(
    ("low", "high", "outcome", "reason"),
    [
        (0.01, 0.03, "pass", "+2.0 points"),
        (-0.005, 0.01, "pass", "not worse by more than 1 point"),
        (-0.03, -0.015, "fail", "worse by more than 1 point"),
        (-0.03, 0.01, "not enough evidence", "may be worse"),
    ],
)
def test_the_paired_interval_decides(low: float, high: float, outcome: str, reason: str) -> None:
    verdict = judge(_figures(low, high))
    assert verdict.outcome == outcome
    assert reason in verdict.reasons[0]


def test_a_broken_example_fails_whatever_the_scores_say() -> None:
    verdict = judge(_figures(0.02, 0.04, broken=1))
    assert verdict.outcome == "fail"
    assert "Ada met Bob" in verdict.reasons[0]


def test_few_entities_are_not_enough_evidence() -> None:
    assert judge(_figures(0.02, 0.04, entities=40)).outcome == "not enough evidence"


def test_nothing_is_claimed_when_there_was_no_stable_version() -> None:
    assert judge({"entities": 500, "baseline": None}).outcome == "not enough evidence"


def test_a_version_that_breaks_an_example_is_promoted_only_with_an_override_that_the_audit_keeps(
    database: Database,
) -> None:
    with database.transaction() as connection:
        registered(connection, "1.0.0")
        register(connection, a_version("1.1.0", performance=_figures(0.0, 0.1, broken=1)))
        rollout.set_stable(connection, "1.0.0", actor="ada")
    with database.transaction() as connection, pytest.raises(Conflict, match="must-pass examples wrongly"):
        rollout.promote(connection, "1.1.0", actor="ada")
    with database.transaction() as connection:
        rollout.promote(connection, "1.1.0", actor="ada", reason="we know", override=True)
    with database.reading() as connection:
        entries = audit.list_entries(connection)[0]
        assert rollout.current_rollout(connection).stable == "1.1.0"
    [kept] = [entry for entry in entries if entry.action == "gate.overridden"]
    assert (kept.actor, kept.subject, kept.details["broken"]) == ("ada", "1.1.0", ["Ada met Bob ."])
