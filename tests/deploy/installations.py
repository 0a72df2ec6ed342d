"""`workbench up --production` on a database of its own, with two small versions to choose between."""

import json
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import sqlalchemy as sa

from dashboards.profile import build_profile
from ner.database import Database
from ner.migrations import migrate
from ner.scoring import performance
from ner.settings import Settings
from registry.packages import open_store
from registry.rollout import set_canary, set_stable
from registry.taggers import load_tagger
from registry.versions import register
from tests.builders import a_version
from tests.running import RunningWorkbench, free_port
from tests.training.small_corpus import small_corpus
from training.fitting import fit
from training.recipes import get_recipe

STABLE, CANARY = "1.0.0", "1.1.0"


class ProductionWorkbench(RunningWorkbench):
    """The gateway at `https`; `self.url` is the plain listener that only this machine reaches."""

    def __init__(self, home: Path, database_url: str, redis_url: str, **settings: str) -> None:
        self.https_port = free_port()
        self.https = f"https://127.0.0.1:{self.https_port}"
        given = {
            "NER_DATABASE_URL": database_url,
            "NER_REDIS_URL": redis_url,
            "NER_HTTPS_PORT": str(self.https_port),
            "OMP_NUM_THREADS": "1",
        }
        super().__init__(home, given | settings, "--production")

    def tls(self) -> ssl.SSLContext:
        """Trusts this installation's certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.home / "gateway.crt"))

    def client(self, **options: object) -> httpx.Client:
        """HTTPS with the administrator's key."""
        headers = {"X-API-Key": self.api_key}
        return httpx.Client(base_url=self.https, headers=headers, verify=self.tls(), timeout=60, **options)  # type: ignore[arg-type]

    def visitor(self) -> httpx.Client:
        """HTTPS as a browser that nobody knows."""
        return httpx.Client(base_url=self.https, verify=self.tls(), timeout=60)

    def replicas(self) -> list[int]:
        """The process ids of the API's replicas, the one that was started first at the head."""
        return sorted((pid for pid, line in self.processes().items() if line.endswith("-m api")), key=_started)


def _started(pid: int) -> int:
    """Ticks since the machine started; ids of processes begin anew at some point."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except OSError:
        return 0


@contextmanager
def scratch_database(server: sa.Engine) -> Iterator[str]:
    """The URL of a new database on the server, gone afterwards."""
    name = f"ner_production_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield server.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


def furnish(home: Path, database_url: str, folder: Path, **values: str) -> None:
    """Two registered versions of a small spaCy pipeline, the first of them stable and the second on trial."""
    settings = Settings(_env_file=None, home=home, database_url=database_url, **values)  # type: ignore[call-arg, arg-type]
    database = Database(database_url)
    migrate(database)
    recipe = get_recipe("spacy_cnn.v1", {"epochs": 4, "batch_words": 100, "width": 32, "depth": 2})
    corpus = small_corpus()
    folder.mkdir()
    fit(recipe, corpus[:120], corpus[190:], ["geo", "per", "tim"], folder, lambda _: None, lambda: False)
    tagged = load_tagger(folder).tag([one.text for one in corpus])
    scores = performance([one.spans for one in corpus], [one.spans for one in tagged], resamples=50)
    profile = build_profile([one.text for one in corpus], tagged, {"the"})
    (folder / "performance.json").write_text(json.dumps(scores))
    (folder / "profile.json").write_text(json.dumps(profile))
    for version in (STABLE, CANARY):
        (folder / "note.txt").write_text(version)
        digest = open_store(settings).add(version, folder)
        with database.transaction() as connection:
            register(connection, a_version(version, package_hash=digest, performance=scores))
    with database.transaction() as connection:
        set_stable(connection, STABLE, actor="ada", reason="the first one")
    with database.transaction() as connection:
        set_canary(connection, CANARY, 50, actor="ada", reason="looks better")
    database.close()
