"""`workbench up`: everything on this machine, until Ctrl-C."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

import click
from tqdm import tqdm

from ner.database import Database
from ner.errors import NerError
from ner.migrations import migrate
from ner.settings import Settings, load_settings, secret_key, secret_keys, write_secret
from registry import keys
from registry.mlflow_server import PREFIX
from registry.versions import list_versions
from workbench import launcher, production, restarting
from workbench.commands.output import json_option, show
from workbench.commands.server import admin_key_path

_SIGN_IN_MINUTES = 24 * 60
_TIMEOUT_SECONDS = 420.0


class _Stopped(BaseException):
    """A signal asked this process to stop."""


@click.command()
@click.option("--production", is_flag=True, help="On PostgreSQL and Redis, with API replicas behind a TLS gateway.")
def up(production: bool) -> None:
    """Start the workbench, the API, MLflow and the worker, and keep them running until Ctrl-C."""
    began = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    signal.signal(restarting.REQUEST, signal.SIG_IGN)
    settings = load_settings()
    with launcher.sole_launcher(settings):
        try:
            _run(settings, began, production)
        except _Stopped:
            click.echo("Stopped.", err=True)


@click.command()
@json_option
def restart(as_json: bool) -> None:
    """Restart every process of 'workbench up' but the gateway, one after another, and wait until all are well.

    Behind a gateway no call fails meanwhile; where one process answers, it is away for seconds.
    """
    restarting.ask(load_settings())
    show({"restarted": True}, as_json, lambda _: "Every process is started anew, and well.")


def _run(settings: Settings, began: float, is_production: bool) -> None:
    launcher.check_disk(settings)
    launcher.check_ports(settings, with_gateway=is_production)
    if is_production:
        production.check_servers(settings)
    database = Database(settings.database)
    migrate(database)
    _ensure_admin_key(database, settings)
    _ensure_starter(database, is_production)
    if is_production:
        whole = production.installation(settings)
        children, watch = whole.children, whole.watch
    else:
        children, watch = tuple(launcher.processes(settings)), None
    try:
        for process in children:
            process.start()
        with tqdm(
            total=len(children), desc="starting", unit="", leave=False, bar_format="{desc} |{bar}| {elapsed}"
        ) as bar:
            launcher.wait_until_healthy(children, lambda _: bar.update(), _TIMEOUT_SECONDS)
        _announce(database, settings, children, time.monotonic() - began)
        if watch is not None:
            watch.start()
        launcher.keep_running(children, _say, restarting.Restarts(children, settings.home, _say).take)
    finally:
        # A second Ctrl-C must not interrupt the clean-up and leave a process behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if watch is not None:
            watch.stop()
        launcher.stop(children)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _stop(number: int, _frame: object) -> NoReturn:
    raise _Stopped(number)


def _ensure_admin_key(database: Database, settings: Settings) -> None:
    """Keep one administrator's key in the home folder, for the command line of this machine."""
    path = admin_key_path(settings)
    secret = secret_key(settings)
    with database.transaction() as connection:
        kept = path.read_text().strip() if path.exists() else ""
        if any(keys.find_key(connection, one, kept) is not None for one in secret_keys(settings)):
            return
        _, key = keys.create_key(
            connection, secret, "this machine", "admin", rate_limit_per_hour=None, days=None, created_by="system"
        )
        path.unlink(missing_ok=True)
        write_secret(path, key)


def _ensure_starter(database: Database, is_production: bool) -> None:
    with database.reading() as connection:
        if list_versions(connection):
            return
    click.echo("First start: training the starter model, which takes about a minute.", err=True)
    # In production MLflow is a server on the database, which starts after this.
    later = ["--mlflow-later"] if is_production else []
    starter = subprocess.Popen([sys.executable, "-m", "training", "starter", *later], process_group=0)
    try:
        if starter.wait() != 0:
            raise NerError("The starter model could not be trained; the lines above say why.")
    finally:
        if starter.poll() is None:
            launcher.end_group(starter)


def _announce(database: Database, settings: Settings, children: Sequence[launcher.Process], seconds: float) -> None:
    with database.transaction() as connection:
        token = keys.create_sign_in_link(
            connection, secret_key(settings), user_name="admin", role="admin", minutes=_SIGN_IN_MINUTES
        )
    pids = {process.name: process.child.pid for process in children if process.child}
    here, mlflow = launcher.address(settings), f"http://{launcher.local_host(settings)}:{settings.mlflow_port}/"
    if "gateway" in pids:
        here = f"https://{launcher.local_host(settings)}:{settings.https_port}"
        mlflow = f"{here}{PREFIX}/"
    click.echo(
        f"Ready after {seconds:.0f} s. State is kept in {settings.home}. Ctrl-C stops everything.\n\n"
        f"  Workbench  {here}/\n"
        f"  API        {here}/api/v1   (key: {admin_key_path(settings)})\n"
        f"  Docs       {here}/docs\n"
        f"  Demos      {here}/demo\n"
        f"  MLflow     {mlflow}\n"
        f"  Worker     process {pids['worker']}\n\n"
        f"Sign in, once: {here}/sign-in?token={token}"
    )
