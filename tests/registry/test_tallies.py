"""How requests of a trial are counted, whenever it began and however often one asks."""

import datetime as dt

from ner.database import Database, utc_now
from registry.policy import default_policy
from registry.tallies import TallyCounter, Trialled
from tests.dashboards.traffic_log import logged, write_log


def test_a_trial_is_counted_whole_when_it_begins_on_an_old_log(database: Database) -> None:
    """Rows of before it, and rows that come late, are told apart by their moments."""
    now = utc_now()
    rates = default_policy().rate_criteria
    canary = {"version": "1.1.0", "variant": "canary"}
    old = [logged(at=now - dt.timedelta(days=3), **canary) for _ in range(50)]
    whose = Trialled("1.1.0", "1.0.0", now - dt.timedelta(hours=1), now - dt.timedelta(minutes=10))
    counter = TallyCounter(rates)
    for late in range(3):
        young = [logged(at=now, **canary), logged(at=now - dt.timedelta(minutes=30), **canary), logged(at=now)]
        with database.transaction() as connection:
            write_log(connection, [*old, *young])
        with database.reading() as connection:
            found = counter.count(connection, whose)
            assert found == TallyCounter(rates).count(connection, whose)
        counts = [side["error_rate"].requests for side in (found.life, found.step, found.stable)]
        assert counts == [2 * (late + 1), late + 1, late + 1]
