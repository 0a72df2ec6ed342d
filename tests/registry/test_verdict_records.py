"""Kept verdicts come out the same, to the last bit, or it is said which does not."""

import json

import pytest
import sqlalchemy as sa

from ner.database import Database
from ner.tables import verdicts
from registry.verdict_records import list_verdicts, recompute, seal_of
from tests.registry.canaries import SETTLED, World


@pytest.fixture
def world(database: Database) -> World:
    """A rollout that advanced once, was sampled, and was rolled back."""
    world = World(database)
    world.begin()
    world.traffic(canary=90, stable=300, canary_bad=1, stable_bad=1)
    world.tick()
    world.later(0.2)
    world.traffic(canary=SETTLED, stable=SETTLED)
    world.tick()
    world.traffic(canary=300, stable=300, canary_bad=70, stable_bad=1, slow=100)
    world.tick()
    assert world.trial().status == "rolled_back"
    return world


def change(world: World, number: int, path: tuple[str, ...], value: object, *, reseal: bool) -> None:
    """Change one fact of a record, as somebody would who can write to the database."""
    with world.database.transaction() as connection:
        body = json.loads(connection.scalar(sa.select(verdicts.c.body).where(verdicts.c.id == number)) or "")
        place = body
        for name in path[:-1]:
            place = place[name]
        assert place[path[-1]] != value
        place[path[-1]] = value
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        changes = {"body": text} | ({"hash": seal_of(text)} if reseal else {})
        connection.execute(verdicts.update().where(verdicts.c.id == number).values(**changes))


def test_every_verdict_comes_out_the_same_when_none_was_touched(world: World) -> None:
    with world.database.reading() as connection:
        found = recompute(connection)
        records = list_verdicts(connection)
    assert (found.ok, found.verdicts, found.problem) == (True, 3, None)
    assert [(record.kind, record.action) for record in records] == [
        ("decision", "roll_back"), ("decision", "advance"), ("sample", "wait"),
    ]  # fmt: skip
    errors = records[0].body["judgement"]["criteria"][0]["rate"]
    assert errors["canary"] == {"exceeded": 70, "requests": 300}
    assert errors["life"] == {"exceeded": 71, "requests": 300 + SETTLED + 90}
    assert errors["log_above"] > 3
    assert errors["log_worse_than_stable"] > 3
    assert (records[0].body["canary"], records[0].body["stable"]) == ("1.1.0", "1.0.0")


CHANGES: dict[str, tuple[int, tuple[str, ...], object, bool, str]] = {
    "a count": (1, ("evidence", "step", "error_rate", "exceeded"), 0, False, "Verdict 1 was changed after"),
    "a count, sealed anew": (
        1,
        ("evidence", "step", "error_rate", "exceeded"),
        0,
        True,
        "Verdict 1 comes out",
    ),
    "the verdict, sealed anew": (3, ("judgement", "action"), "hold", True, "Verdict 3 comes out otherwise"),
    "the limit, sealed anew": (1, ("policy",), "steps_percent: [100]", True, "Verdict 1 comes out"),
    "who was on trial, sealed anew": (3, ("stable",), "0.9.0", True, "Verdict 3 does not stand in the audit trail"),
    "evidence that is none": (1, ("evidence", "life"), 7, True, "Verdict 1 cannot be read"),
}


@pytest.mark.parametrize("case", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_first_changed_record_is_named_when_somebody_changes(
    case: tuple[int, tuple[str, ...], object, bool, str], world: World
) -> None:
    number, path, value, reseal, words = case
    if path == ("policy",):
        value = world.trial().policy.replace("0.01,", "0.02,")
    change(world, number, path, value, reseal=reseal)
    with world.database.reading() as connection:
        found = recompute(connection)
    assert not found.ok
    assert words in (found.problem or "")


def test_a_decision_is_missed_when_its_record_is_deleted(world: World) -> None:
    with world.database.transaction() as connection:
        connection.execute(verdicts.delete().where(verdicts.c.id == 2))
        found = recompute(connection)
    assert (found.ok, found.problem) == (False, "1 decisions of the audit trail have no verdict any more.")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("format_", "ok"), [(2, True), (3, False)])
def test_only_an_older_record_may_be_worded_otherwise(world: World, format_: int, ok: bool) -> None:
    with world.database.transaction() as connection:
        body = json.loads(connection.scalar(sa.select(verdicts.c.body).where(verdicts.c.id == 1)) or "")
        body["judgement"]["sentence"] = "said in other words"
        body["format"] = format_
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        connection.execute(verdicts.update().where(verdicts.c.id == 1).values(body=text, hash=seal_of(text)))
        assert recompute(connection).ok is ok
