"""The queue of training runs: asked for by anybody, taken up by one worker at a time, never lost.

A claim is a name that no other claim has. Every write of a worker carries it, so that a worker that was thought
dead, and whose run somebody else took over, can no longer change the run or register a version for it.
"""

import dataclasses
import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner import tables
from ner.database import utc_now
from ner.errors import Conflict, NotFound, RunCancelled
from registry import audit
from registry.progress import Progress
from registry.recipes import get_recipe

RunStatus = Literal["queued", "running", "finished", "failed", "cancelled"]
STALE_AFTER_SECONDS = 30
MOST_ATTEMPTS = 3

_runs = tables.runs


_WAITING: dict[str, Any] = {
    "status": "queued",
    "claimed_by": None,
    "heartbeat_at": None,
    "progress": dataclasses.asdict(Progress()),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt, or up to three, to train a recipe on a dataset."""

    id: str
    dataset: str
    recipe: str
    parameters: dict[str, Any]
    status: RunStatus
    requested_by: str
    requested_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    claimed_by: str | None
    heartbeat_at: dt.datetime | None
    attempts: int
    cancel_requested: bool
    progress: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    snapshot_hash: str | None
    version: str | None
    mlflow_run_id: str | None
    findings: list[dict[str, Any]] | None


def request_run(
    connection: Connection, dataset: str, recipe: str, parameters: dict[str, Any], requested_by: str
) -> Run:
    """Put a run at the end of the queue.

    Raises NotFound when there is no such dataset or recipe, InvalidInput for parameters that the recipe does not take.
    """
    get_recipe(recipe, parameters)
    if connection.scalar(sa.select(tables.datasets.c.id).where(tables.datasets.c.name == dataset)) is None:
        known = ", ".join(connection.scalars(sa.select(tables.datasets.c.name).order_by("name").limit(10)))
        raise NotFound(f"There is no dataset '{dataset}'. Import one first; known: {known or 'none yet'}.")
    run_id = uuid.uuid4().hex
    connection.execute(
        _runs.insert().values(
            id=run_id,
            dataset=dataset,
            recipe=recipe,
            parameters=parameters,
            status="queued",
            requested_by=requested_by,
            requested_at=utc_now(),
            attempts=0,
            cancel_requested=False,
            progress=dataclasses.asdict(Progress()),
        )
    )
    details = {"dataset": dataset, "recipe": recipe, "parameters": parameters}
    audit.append(connection, actor=requested_by, action="run.requested", subject=run_id, details=details)
    return get_run(connection, run_id)


def get_run(connection: Connection, run_id: str) -> Run:
    """Raises NotFound."""
    row = connection.execute(sa.select(_runs).where(_runs.c.id == run_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no run '{run_id}'.")
    return Run(**row)


def list_runs(connection: Connection, *, limit: int = 100) -> list[Run]:
    """The latest runs, newest first."""
    rows = connection.execute(sa.select(_runs).order_by(_runs.c.requested_at.desc(), _runs.c.id).limit(limit))
    return [Run(**row) for row in rows.mappings()]


def claim_run(connection: Connection, worker: str, *, now: dt.datetime | None = None) -> Run | None:
    """Take up the oldest run that waits, or whose worker has been silent for more than 30 s; None when there is none.

    A silent run is taken up three times at most and then fails; one that was to be cancelled is cancelled. Two
    callers never get the same run: PostgreSQL skips rows that another claim has locked, and on SQLite `connection`
    must be a writing transaction, of which there is one at a time.
    """
    now = now or utc_now()
    while (run := _next_in_line(connection, now)) is not None:
        if run.cancel_requested:
            mark_cancelled(connection, run)
        elif run.attempts >= MOST_ATTEMPTS:
            fail_run(connection, run, _gave_up("its worker fell silent"))
        else:
            return _claim(connection, run, worker, now)
    return None


def claim_this_run(connection: Connection, run_id: str, worker: str) -> Run:
    """Take up one queued run out of turn. Raises Conflict when it does not wait any more."""
    run = get_run(connection, run_id)
    if run.status != "queued":
        raise Conflict(f"Run {run_id} is {run.status} and does not wait to be taken up.")
    return _claim(connection, run, worker, utc_now())


def heartbeat(
    connection: Connection, run: Run, progress: Progress | None = None, *, now: dt.datetime | None = None
) -> bool:
    """Say that the claimed run is alive and how far it is; returns whether somebody asked for it to be cancelled.

    Raises Conflict when the run is no longer this claim's: the caller must stop and write nothing more.
    """
    changes: dict[str, Any] = {"heartbeat_at": now or utc_now()}
    if progress is not None:
        changes["progress"] = dataclasses.asdict(progress)
    _change(connection, run, **changes)
    return bool(connection.scalar(sa.select(_runs.c.cancel_requested).where(_runs.c.id == run.id)))


def note_snapshot(connection: Connection, run: Run, snapshot_hash: str) -> None:
    """Remember which frozen data the run learns from."""
    _change(connection, run, snapshot_hash=snapshot_hash)


def note_findings(connection: Connection, run: Run, findings: list[dict[str, Any]]) -> None:
    """Remember what the checks of the run's data found."""
    _change(connection, run, findings=findings)


def unfinished_runs(connection: Connection) -> set[str]:
    """The ids of the runs that wait or run."""
    return set(connection.scalars(sa.select(_runs.c.id).where(_runs.c.status.in_(("queued", "running")))))


def finish_run(connection: Connection, run: Run, progress: Progress, *, version: str, result: dict[str, Any]) -> None:
    """Mark the claimed run finished, in the transaction that registers its version.

    Raises Conflict when the run is no longer this claim's, and RunCancelled when it is to be cancelled; either
    undoes that transaction.
    """
    if _locked(connection, run.id).cancel_requested:
        raise RunCancelled(f"Run {run.id} was cancelled before its version was registered.")
    _change(
        connection,
        run,
        status="finished",
        finished_at=utc_now(),
        version=version,
        result=result,
        progress=dataclasses.asdict(dataclasses.replace(progress, stage="finished", fraction=1.0, seconds_left=0.0)),
    )


def fail_run(connection: Connection, run: Run, error: str) -> None:
    """End the run with a sentence that says why. Raises Conflict when it is not this claim's."""
    _change(connection, run, status="failed", finished_at=utc_now(), error=error)
    details = {"error": error, "dataset": run.dataset, "recipe": run.recipe}
    audit.append(connection, actor=run.requested_by, action="run.failed", subject=run.id, details=details)


def mark_cancelled(connection: Connection, run: Run) -> None:
    """End a run that somebody asked to cancel. Raises Conflict when it is not this claim's."""
    _change(connection, run, status="cancelled", finished_at=utc_now())


def give_back(connection: Connection, run: Run) -> None:
    """Put the claimed run back in its place in the queue, as if this attempt had not been made."""
    _change(connection, run, **_WAITING, attempts=_runs.c.attempts - 1)


def give_up(connection: Connection, run: Run, reason: str) -> RunStatus:
    """The attempt died (`reason`, a clause): queue the run again, or end it after the third attempt or a request
    to cancel it. Returns what it is now. Raises Conflict when it is not this claim's."""
    state = get_run(connection, run.id)
    if state.cancel_requested:
        mark_cancelled(connection, run)
        return "cancelled"
    if state.attempts >= MOST_ATTEMPTS:
        fail_run(connection, run, _gave_up(reason))
        return "failed"
    _change(connection, run, **_WAITING)
    return "queued"


def supersede(connection: Connection, dataset: str, requested_by: str, reason: str) -> int:
    """Fail every unfinished run of `dataset` that `requested_by` asked for; returns how many there were."""
    rows = connection.execute(
        sa.select(_runs)
        .where(_runs.c.dataset == dataset, _runs.c.requested_by == requested_by)
        .where(_runs.c.status.in_(("queued", "running")))
        .with_for_update()
    )
    unfinished = [Run(**row) for row in rows.mappings()]
    for run in unfinished:
        fail_run(connection, run, reason)
    return len(unfinished)


def request_cancel(connection: Connection, run_id: str, actor: str) -> Run:
    """Cancel a run that waits at once, and one that runs as soon as its worker hears of it.

    Asking twice changes nothing. Raises Conflict when the run has ended.
    """
    run = _locked(connection, run_id)
    if run.status == "cancelled" or (run.status == "running" and run.cancel_requested):
        return run
    if run.status in ("finished", "failed"):
        raise Conflict(f"Run {run_id} has {run.status} already; there is nothing to cancel.")
    if run.status == "queued":
        mark_cancelled(connection, run)
    else:
        _change(connection, run, cancel_requested=True)
    audit.append(connection, actor=actor, action="run.cancel_requested", subject=run_id)
    return get_run(connection, run_id)


def note_mlflow_run(connection: Connection, run_id: str, mlflow_run_id: str) -> None:
    """Remember where MLflow keeps the finished run."""
    connection.execute(_runs.update().where(_runs.c.id == run_id).values(mlflow_run_id=mlflow_run_id))


def _locked(connection: Connection, run_id: str) -> Run:
    connection.execute(sa.select(_runs.c.id).where(_runs.c.id == run_id).with_for_update())
    return get_run(connection, run_id)


def _next_in_line(connection: Connection, now: dt.datetime) -> Run | None:
    silent_since = now - dt.timedelta(seconds=STALE_AFTER_SECONDS)
    silent = sa.and_(_runs.c.status == "running", _runs.c.heartbeat_at < silent_since)
    row = connection.execute(
        sa.select(_runs)
        .where(sa.or_(_runs.c.status == "queued", silent))
        .order_by(_runs.c.requested_at, _runs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = row.mappings().first()
    return Run(**found) if found is not None else None


def _claim(connection: Connection, run: Run, worker: str, now: dt.datetime) -> Run:
    claimed = dataclasses.replace(
        run,
        status="running",
        claimed_by=f"{worker} {uuid.uuid4().hex[:12]}",
        started_at=now,
        heartbeat_at=now,
        attempts=run.attempts + 1,
        progress=dataclasses.asdict(Progress(stage="starting")),
    )
    names = ("status", "claimed_by", "started_at", "heartbeat_at", "attempts", "progress")
    _change(connection, run, **{name: getattr(claimed, name) for name in names})
    return claimed


def _change(connection: Connection, run: Run, **changes: Any) -> None:
    same = (_runs.c.id == run.id, _runs.c.claimed_by == run.claimed_by, _runs.c.status == run.status)
    if connection.execute(_runs.update().where(*same).values(**changes)).rowcount != 1:
        raise Conflict(f"Run {run.id} is no longer this worker's.")


def _gave_up(reason: str) -> str:
    return f"Training was tried {MOST_ATTEMPTS} times and {reason} each time; see the worker's log, then ask again."
