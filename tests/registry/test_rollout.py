import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner.database import Database, utc_now
from ner.errors import Conflict, InvalidInput, NotFound
from registry import audit, rollout
from registry.rollout import Rollout, choose_variant
from registry.versions import get_version, list_versions, next_version
from tests.builders import registered


def _a_rollout(percent: float, salt: str = "salt") -> Rollout:
    return Rollout(1, "1.0.0", "1.1.0", None, percent, salt, "canary", "", "ada", utc_now())


def test_a_canary_becomes_stable_and_goes_back_when_it_is_promoted_and_rolled_back(database: Database) -> None:
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0")
        rollout.set_stable(connection, "1.0.0", actor="ada")
        rollout.set_canary(connection, "1.1.0", 5, actor="ada", reason="trial")
        promoted = rollout.promote(connection, actor="ada", reason="better")
        assert (promoted.stable, promoted.canary, promoted.previous, promoted.percent) == ("1.1.0", None, "1.0.0", 0)
        back = rollout.roll_back(connection, actor="bob", reason="worse")
        assert (back.stable, back.previous) == ("1.0.0", "1.1.0")
        forth = rollout.roll_back(connection, actor="bob", reason="a mistake")
        assert (forth.stable, forth.previous) == ("1.1.0", "1.0.0")
    with database.reading() as connection:
        assert [state.action for state in rollout.history(connection)] == [
            *("rollback", "rollback", "promote", "canary", "set_stable"),
        ]
        assert audit.verify(connection).ok
        entries, total = audit.list_entries(connection)
        assert total == 7
        assert entries[0].details["before"]["stable"] == "1.0.0"


def test_the_canary_leaves_when_it_is_rolled_back_and_stable_stays(database: Database) -> None:
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0")
        rollout.set_stable(connection, "1.0.0", actor="ada")
        rollout.set_canary(connection, "1.1.0", 50, actor="ada")
        state = rollout.roll_back(connection, actor="ada")
    assert (state.stable, state.canary, state.previous, state.percent) == ("1.0.0", None, None, 0)


def test_a_change_is_refused_with_a_reason_when_it_contradicts_the_state(database: Database) -> None:
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0")
        with pytest.raises(Conflict, match="No version is stable"):
            rollout.set_canary(connection, "1.1.0", 5, actor="ada")
        rollout.set_stable(connection, "1.0.0", actor="ada")
        with pytest.raises(Conflict, match="no canary to promote"):
            rollout.promote(connection, actor="ada")
        with pytest.raises(Conflict, match="nothing to roll back"):
            rollout.roll_back(connection, actor="ada")
        with pytest.raises(Conflict, match="must be another"):
            rollout.set_canary(connection, "1.0.0", 5, actor="ada")
        with pytest.raises(InvalidInput, match="from 0 to 100"):
            rollout.set_canary(connection, "1.1.0", 101, actor="ada")
        with pytest.raises(NotFound, match=r"no version '9\.9\.9'"):
            rollout.set_canary(connection, "9.9.9", 5, actor="ada")


def test_versions_count_up_and_are_listed_newest_first(database: Database) -> None:
    with database.transaction() as connection:
        assert next_version(connection) == "1.0.0"
        registered(connection, "1.0.0", "1.9.0", "1.10.0")
        assert next_version(connection) == "1.11.0"
        assert next_version(connection, bump="major") == "2.0.0"
        assert next_version(connection, bump="patch") == "1.10.1"
        assert [record.version for record in list_versions(connection)] == ["1.10.0", "1.9.0", "1.0.0"]
        assert get_version(connection, "1.9.0").trained_by == "ada"


@pytest.mark.parametrize("percent", [0, 1, 5, 25, 50, 75, 100])
def test_shares_are_within_half_a_point_on_100000_keys(percent: float) -> None:
    state = _a_rollout(percent)
    met = sum(choose_variant(state, f"caller-{number}") == "canary" for number in range(100_000))
    assert abs(met / 1000 - percent) <= 0.5


@given(key=st.text(), small=st.floats(0, 100), more=st.floats(0, 100))
@settings(max_examples=300)
def test_a_key_that_met_the_canary_meets_it_again_when_the_share_grows(key: str, small: float, more: float) -> None:
    lower, higher = sorted((small, more))
    if choose_variant(_a_rollout(lower), key) == "canary":
        assert choose_variant(_a_rollout(higher), key) == "canary"


def test_a_new_canary_meets_other_keys(database: Database) -> None:
    with database.transaction() as connection:
        registered(connection, "1.0.0", "1.1.0", "1.2.0")
        rollout.set_stable(connection, "1.0.0", actor="ada")
        first = rollout.set_canary(connection, "1.1.0", 5, actor="ada")
        grown = rollout.set_canary(connection, "1.1.0", 25, actor="ada")
        other = rollout.set_canary(connection, "1.2.0", 25, actor="ada")
    assert first.salt == grown.salt != other.salt
