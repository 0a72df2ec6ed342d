"""A canary on trial, with a clock that tests move, and traffic that they make."""

import datetime as dt
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import Database, UtcDateTime, utc_now
from ner.tables import rollouts
from registry.controller import Controller
from registry.observation import F1Judge, no_f1
from registry.process_reports import ProcessReport, report
from registry.rollout import current_rollout, set_stable
from registry.trials import Trial, latest_trial, start_trial
from tests.builders import registered

POLICY = """
steps_percent: [10, 50, 100]
bake: {shortest_hours: 0.1, longest_hours: 1}
false_alarm_rate: 0.05
criteria:
  error_rate:     {limit: 0.01, on_breach: roll_back}
  latency_p95_ms: {limit: 200, on_breach: investigate}
  memory_share:   {limit: 0.8, on_breach: hold}
"""
QUALITY = POLICY + "  f1_drop: {limit: 0.02, on_breach: hold}\n"
SETTLED = 700
"""So many good requests settle every limit of POLICY."""


_MANY = sa.text(
    """
    INSERT INTO predictions (request_id, at, version, variant, status, latency_ms, cached, key_id, characters, tokens,
                             unknown_tokens, entities, confidences, word_sample)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :requests)
    SELECT 'request', :at, :version, :variant, CASE WHEN i <= :failed THEN 500 ELSE 200 END,
           CASE WHEN i <= :slow THEN 1000.0 ELSE 20.0 END, :cached, 'key', 40, 8, 0, '{}', '[]', '[]' FROM n
    """
).bindparams(sa.bindparam("at", type_=UtcDateTime()))


def log_answers(
    connection: Connection,
    at: dt.datetime,
    version: str,
    variant: str,
    requests: int,
    *,
    failed: int = 0,
    slow: int = 0,
) -> None:
    """Rows of the prediction log, of which some failed and some took a second."""
    if requests:
        facts = {"at": at, "version": version, "variant": variant, "requests": requests, "failed": failed, "slow": slow}
        connection.execute(_MANY, {**facts, "cached": False})


@dataclass
class World:
    """Stable 1.0.0, canary 1.1.0, one API process that reports, a controller, and what time it is."""

    database: Database
    now: dt.datetime = field(default_factory=utc_now)
    f1: F1Judge = no_f1

    def __post_init__(self) -> None:
        with self.database.transaction() as connection:
            registered(connection, "1.0.0", "1.1.0")
            set_stable(connection, "1.0.0", actor="ada")
        self.controller = self.another_controller()

    def another_controller(self) -> Controller:
        return Controller(self.database, f1=self.f1, now=lambda: self.now)

    def begin(self, policy: str = POLICY) -> Trial:
        with self.database.transaction() as connection:
            trial = start_trial(connection, "1.1.0", policy, actor="ada")
        self.now = max(self.now, trial.step_began_at)
        return trial

    def later(self, hours: float) -> None:
        self.now += dt.timedelta(hours=hours)

    def traffic(
        self, canary: int = 0, stable: int = 0, *, canary_bad: int = 0, stable_bad: int = 0, slow: int = 0
    ) -> None:
        """Answers of now; `canary_bad` and `stable_bad` of them failed, `slow` of the canary's took a second."""
        with self.database.transaction() as connection:
            log_answers(connection, self.now, "1.1.0", "canary", canary, failed=canary_bad, slow=slow)
            log_answers(connection, self.now, "1.0.0", "stable", stable, failed=stable_bad)

    def report(self, *, memory: float | None = 0.4, behind: float = 0.0, process: str = "api:1") -> None:
        """The API process says that it lives and follows the rollout in force."""
        with self.database.transaction() as connection:
            epoch = current_rollout(connection).epoch
            report(connection, ProcessReport(process, self.now, epoch, memory, behind))

    def tick(self, *, reports: bool = True) -> Trial | None:
        self.later(1e-6)
        if reports:
            self.report()
        return self.controller.tick()

    def trial(self) -> Trial:
        with self.database.reading() as connection:
            found = latest_trial(connection)
        assert found is not None
        return found

    def shares(self) -> list[tuple[str, float]]:
        """Every change of the rollout, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(rollouts).order_by(rollouts.c.epoch)).all()
        return [(row.action, row.canary_percent) for row in rows]
