"""The door of learning: `python -m training worker | starter`, and what the worker starts: `run`, `mirror`."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ner.database import Database
from ner.errors import NerError
from ner.logs import configure_logs
from ner.migrations import migrate
from ner.settings import Settings, load_settings
from ner.waiting import wait_for_database
from training.native_output import divert_native_output

_NICENESS = 5
_CHATTY = ("alembic", "mlflow", "matplotlib")
_NOISY = ("starter", "training")

_log = logging.getLogger("training")


@click.group()
def main() -> None:
    """Learn: train what people settled, register versions."""


@main.command()
@click.option("--until-idle", is_flag=True, help="End when nothing waits any more: for machines that come and go.")
def worker(until_idle: bool) -> None:
    """Take up training runs until SIGTERM or Ctrl-C."""
    from training.worker import show_sign_of_life, work_until_stopped

    with _opened("worker") as (database, settings):
        wait_for_database(database, "worker", lambda: show_sign_of_life(settings))
        migrate(database)
        work_until_stopped(database, settings, until_idle=until_idle)


@main.command()
@click.option("--mlflow-later", is_flag=True, help="Leave it to the worker to tell MLflow, whose server starts later.")
def starter(mlflow_later: bool) -> None:
    """Train the starter model and let it answer, where no version is registered."""
    from training.starter import ensure_starter

    with _opened("starter") as (database, settings):
        migrate(database)
        click.echo(ensure_starter(database, settings, tells_mlflow=not mlflow_later))


@main.command(hidden=True)
@click.argument("run_id")
@click.argument("claim")
def run(run_id: str, claim: str) -> None:
    """Train a run that the worker has claimed."""
    from registry.runs import get_run
    from training.attempt import make_attempt

    parent = os.getppid()
    # Answers come before learning where both share the processors.
    os.nice(_NICENESS)
    with _opened("training") as (database, settings):
        with database.reading() as connection:
            claimed = get_run(connection, run_id)
        if claimed.claimed_by != claim:
            raise click.ClickException(f"Run {run_id} is no longer claimed by '{claim}'.")
        record = make_attempt(database, settings, claimed, parent=parent)
        _log.info("Run %s registered version %s, F1 %.3f.", run_id, record.version, record.performance["f1"])


@main.command()
def mirror() -> None:
    """Tell MLflow what it does not know yet: versions, and where the aliases point."""
    from registry.mlflow_store import MlflowException
    from training.mirror import mirror as tell_mlflow

    with _opened("mirror") as (database, settings):
        try:
            _log.info("MLflow was told of %d more versions.", tell_mlflow(database, settings))
        except MlflowException as error:
            _log.error("MLflow cannot be told now, and is told later: %s", str(error).splitlines()[0])
            raise SystemExit(1) from None


@contextmanager
def _opened(process: str) -> Iterator[tuple[Database, Settings]]:
    try:
        settings = load_settings()
        if process in _NOISY:
            divert_native_output(settings.home / "training.log")
        configure_logs(process, settings.log_level)
        for chatty in _CHATTY:
            logging.getLogger(chatty).setLevel(logging.WARNING)
        database = Database(settings.database)
        try:
            yield database, settings
        finally:
            database.close()
    except NerError as error:
        click.echo(error.message, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m training")
