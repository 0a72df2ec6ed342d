"""A worker and its database may start in any order."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from registry.versions import list_versions
from tests.api.servers import OwnPostgres
from tests.running import free_port, wait_until
from workbench.launcher import answers


@pytest.mark.slow
def test_a_worker_that_starts_before_its_database_waits_for_it(settings: Settings, tmp_path: Path) -> None:
    server = OwnPostgres(tmp_path / "postgres")
    names = {"NER_HOME": str(settings.home), "NER_DATABASE_URL": server.url, "NER_SECRET_KEY": settings.secret_key}
    worker = subprocess.Popen(
        [sys.executable, "-m", "training", "worker", "--until-idle"],
        env={**os.environ, **names},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stderr is not None
    try:
        said = worker.stderr.readline()
        assert "The database does not answer, so the worker waits for it" in said
        assert worker.poll() is None
        assert (settings.home / "worker.alive").exists()
        server.start()
        _, said = worker.communicate(timeout=120)
        assert worker.returncode == 0, said
        assert "The database answers; the worker goes on." in said
        database = Database(server.url)
        with database.reading() as connection:
            assert list_versions(connection) == []
        database.close()
    finally:
        worker.kill()
        worker.communicate()
        server.kill()


@pytest.mark.slow
def test_a_replica_that_starts_before_its_database_takes_no_calls_until_it_is_there(
    settings: Settings, tmp_path: Path
) -> None:
    server, port = OwnPostgres(tmp_path / "postgres"), free_port()
    server.start()
    database = Database(server.url)
    migrate(database)
    database.close()
    server.kill()
    names = {"NER_HOME": str(settings.home), "NER_DATABASE_URL": server.url, "NER_SECRET_KEY": settings.secret_key}
    replica = subprocess.Popen(
        [sys.executable, "-m", "api"],
        env={**os.environ, **names, "NER_PORT": str(port)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert replica.stderr is not None
    try:
        assert "The database does not answer, so the API waits for it" in replica.stderr.readline()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/v2/health/live")
        server.start()
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/v2/health/live"), what="the replica")
    finally:
        replica.kill()
        replica.communicate()
        server.kill()
