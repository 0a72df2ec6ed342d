import pytest
import sqlalchemy as sa

from ner.database import Database
from ner.errors import InvalidInput, NotFound
from ner.tables import alerts as alerts_table
from registry import audit
from registry.alerts import acknowledge, close_alert, list_alerts, raise_alert


def test_one_alert_is_open_when_the_same_thing_is_raised_again(database: Database) -> None:
    with database.transaction() as connection:
        first, opened = raise_alert(connection, "shared_outage", "warning", "Both fail.", subject="1.1.0")
        again, opened_again = raise_alert(connection, "shared_outage", "critical", "Both fail badly.", subject="1.1.0")

        assert (opened, opened_again, again.id) == (True, False, first.id)
        assert (again.severity, again.sentence, again.opened_at) == ("critical", "Both fail badly.", first.opened_at)
        assert list_alerts(connection) == [again]


def test_an_alert_is_opened_anew_when_the_last_one_was_closed(database: Database) -> None:
    with database.transaction() as connection:
        first, _ = raise_alert(connection, "stale", "warning", "The log is behind.")
        closed = close_alert(connection, "stale")
        second, opened = raise_alert(connection, "stale", "warning", "The log is behind.")

        assert closed is not None
        assert not closed.is_open
        assert second.is_open
        assert opened
        assert second.id != first.id
        assert list_alerts(connection, only_open=True) == [second]
        assert {alert.id for alert in list_alerts(connection)} == {first.id, second.id}


def test_nothing_is_closed_when_the_subject_is_another(database: Database) -> None:
    with database.transaction() as connection:
        raise_alert(connection, "stale", "warning", "The log is behind.", subject="api-1")

        assert close_alert(connection, "stale", subject="api-2") is None
        assert len(list_alerts(connection, only_open=True)) == 1


def test_the_first_person_is_kept_when_two_acknowledge(database: Database) -> None:
    with database.transaction() as connection:
        alert, _ = raise_alert(connection, "stale", "warning", "The log is behind.")
        acknowledge(connection, alert.id, actor="ada")

        assert acknowledge(connection, alert.id, actor="grace").acknowledged_by == "ada"
        entries, _ = audit.list_entries(connection)
        assert [(entry.action, entry.actor) for entry in entries] == [("alert.acknowledged", "ada")]


def test_an_alert_is_refused_when_its_severity_is_unknown(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(InvalidInput, match="'loud'"):
        raise_alert(connection, "stale", "loud", "The log is behind.")  # type: ignore[arg-type]


def test_acknowledging_fails_when_there_is_no_such_alert(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(NotFound, match="no alert 'nothing'"):
        acknowledge(connection, "nothing", actor="ada")


def test_the_database_refuses_a_second_open_alert_of_a_kind_and_subject(database: Database) -> None:
    with database.transaction() as connection:
        raise_alert(connection, "stale", "warning", "The log is behind.")
    with pytest.raises(sa.exc.IntegrityError), database.transaction() as connection:
        row = connection.execute(sa.select(alerts_table)).one()._mapping
        connection.execute(alerts_table.insert().values(**{**row, "id": "0" * 32}))
