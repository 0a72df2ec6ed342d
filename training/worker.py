"""The worker: takes up runs one at a time, each in a process of its own, keeps MLflow told, and lets canaries walk
through the steps of their policies.

A process for each run keeps the memory of one training out of the next, and makes stopping it as simple as killing
it: what a run leaves behind is whole or nothing (see `training.pipeline`), but for its checkpoints, which the next
attempt goes on from and which are removed once the run has ended.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import sqlalchemy as sa

from ner.database import Database, utc_now
from ner.errors import Conflict
from ner.settings import Settings, secret_keys
from registry import runs
from registry.controller import Controller
from registry.deliveries import send_due
from registry.heartbeats import WORKER, beat
from registry.paired_labels import f1_evidence
from registry.process_samples import Sampler, write_sample
from registry.runs import Run
from training import rounds
from training.checkpoints import remove_ended_checkpoints
from training.drafts import remove_draft
from training.mirror import is_behind
from training.rounds import Round
from training.standing import measure
from training.upkeep.backups import Schedule
from training.upkeep.housekeeping import tidy_daily

POLL_SECONDS = 1.0
_GRACE_SECONDS = 3.0
_MIRROR_PAUSE_SECONDS = 60.0
_HEARTBEAT_SECONDS = 10.0
_SAMPLE_SECONDS = 60.0
_DELIVERY_SECONDS = 2.0
_UPKEEP_SECONDS = 300.0

_log = logging.getLogger(__name__)


class Worker:
    """Call `tick` about once a second, and `close` at the end; `run_until` does both."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._sampler = Sampler(self._name, "worker", settings.home)
        self._training: tuple[Run, subprocess.Popen[bytes]] | None = None
        self._mirror: subprocess.Popen[bytes] | None = None
        self._next_mirror = 0.0

    @property
    def training_process(self) -> int | None:
        """The number of the process that trains now."""
        return self._training[1].pid if self._training is not None else None

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs here now."""
        return self._training is None and self._mirror is None

    def run_until(self, stopping: threading.Event, *, until_idle: bool = False) -> None:
        """Work until the event is set, or until nothing is left to do; then stop what runs."""
        _log.info("The worker %s waits for runs.", self._name)
        # A worker that comes and goes leaves what has to go on to the one that stays.
        beside = [] if until_idle else self._rounds()
        for one in beside:
            one.start()
        try:
            while not stopping.is_set():
                self.tick()
                if until_idle and self.is_idle:
                    break
                stopping.wait(POLL_SECONDS)
        finally:
            rounds.stop(beside)
            self.close()

    def _rounds(self) -> list[Round]:
        """What is done beside the runs."""
        return [
            Round("The heartbeat", _HEARTBEAT_SECONDS, self._beat),
            Round("Noting what it needs", _SAMPLE_SECONDS, self._sample),
            Round("The automatic rollout", POLL_SECONDS, Controller(self._database, f1=f1_evidence).tick),
            Round("Sending webhooks", _DELIVERY_SECONDS, self._send),
            Round(
                "Measuring the versions",
                self._settings.measure_seconds,
                lambda: measure(self._database, self._settings),
            ),
            Round("Backing up", _UPKEEP_SECONDS, Schedule(self._database, self._settings).keep),
            Round("Tidying", _UPKEEP_SECONDS, lambda: tidy_daily(self._database, self._settings)),
        ]

    def _send(self) -> None:
        may_be_private = self._settings.webhook_private_addresses
        send_due(self._database, secret_keys(self._settings), may_be_private=may_be_private)

    def _beat(self) -> None:
        with self._database.transaction() as connection:
            beat(connection, WORKER, utc_now())

    def _sample(self) -> None:
        with self._database.transaction() as connection:
            write_sample(connection, self._sampler.sample())

    def tick(self) -> None:
        """Look once after everything. A database that does not answer is tried again at the next tick."""
        show_sign_of_life(self._settings)
        try:
            self._look_after_training()
            self._look_after_mirror()
        except sa.exc.SQLAlchemyError as error:
            _log.error("The database does not answer: %s", error)

    def close(self) -> None:
        """Stop both processes within seconds; a run that was not finished goes back to its place in the queue."""
        if self._mirror is not None:
            _end(self._mirror)
            self._mirror = None
        if self._training is not None:
            run, process = self._training
            _end(process)
            self._training = None
            self._write_outcome(run, None)
        _log.info("The worker %s has stopped.", self._name)

    def _look_after_training(self) -> None:
        if self._training is not None:
            run, process = self._training
            code = process.poll()
            if code is None:
                return
            self._write_outcome(run, _clause(code))
            self._training = None
        with self._database.transaction() as connection:
            claimed = runs.claim_run(connection, self._name)
        if claimed is not None:
            _log.info("Run %s, attempt %d: %s on '%s'.", claimed.id, claimed.attempts, claimed.recipe, claimed.dataset)
            self._training = claimed, _start("run", claimed.id, claimed.claimed_by or "")

    def _write_outcome(self, run: Run, death: str | None) -> None:
        """`death` says how the process ended; None means that this worker stopped it."""
        try:
            with self._database.transaction() as connection:
                if death is None:
                    runs.give_back(connection, run)
                else:
                    status = runs.give_up(connection, run, death)
                    _log.warning("The process of run %s %s; the run is %s.", run.id, death, status)
        except Conflict:
            # The process wrote the outcome itself before it ended.
            _log.info("Run %s has ended.", run.id)
        remove_draft(self._settings, run.id)
        with self._database.reading() as connection:
            remove_ended_checkpoints(self._settings, runs.unfinished_runs(connection))

    def _look_after_mirror(self) -> None:
        if self._mirror is not None:
            code = self._mirror.poll()
            if code is None:
                return
            self._mirror = None
            with self._database.reading() as connection:
                still_behind = is_behind(connection)
            self._next_mirror = time.monotonic() + (_MIRROR_PAUSE_SECONDS if still_behind else 0)
        if time.monotonic() < self._next_mirror:
            return
        with self._database.reading() as connection:
            behind = is_behind(connection)
        if behind:
            self._mirror = _start("mirror")


def show_sign_of_life(settings: Settings) -> None:
    """Touch the file by which the launcher, or a probe, sees that this process does what it should."""
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "worker.alive").touch()


def work_until_stopped(database: Database, settings: Settings, *, until_idle: bool = False) -> None:
    """Work in the main thread until SIGTERM or SIGINT, or until nothing is left to do."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    Worker(database, settings).run_until(stopping, until_idle=until_idle)


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the terminal reaches the worker alone, which then stops this process.
    return subprocess.Popen(
        [sys.executable, "-m", "training", *arguments],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")},
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _clause(code: int) -> str:
    """How a process with this return code ended, as the end of a sentence about it."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
