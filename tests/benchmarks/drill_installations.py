"""Installations for the drill: trained once, filled with a life, each kind in a place of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa
from tqdm import tqdm

from annotation.capture import keep_text
from annotation.corrections import save_correction
from annotation.datasets import create_dataset, import_file, list_documents
from ner.database import Database
from ner.documents import EntitySpan
from ner.migrations import migrate
from ner.settings import Settings, secret_keys
from registry import audit, keys
from registry.log_batches import batch_of, write
from registry.logged import CapturedText
from registry.packages import open_store
from registry.rollout import set_stable
from registry.sealing import Seals
from registry.versions import register
from tests.builders import a_version
from tests.conftest import POSTGRES
from tests.deploy.installations import scratch_database
from tests.objects import OwnObjects
from tests.populated import a_row
from tests.running import ROOT
from training.starter_corpus import generate

KINDS = ("sqlite", "postgresql", "bucket")
_DOCUMENTS, _CORRECTIONS, _CAPTURED = 5_000, 500, 200
_ROWS_AT_ONCE = 5_000
_BUCKET = "artifacts"


def train(home: Path) -> Path:
    """An installation with a version that was really trained."""
    environment = {**os.environ, "NER_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "training", "starter"], check=True, env=environment, cwd=ROOT)
    return home


def _take_over(trained: Path, settings: Settings) -> None:
    """The version, the keys and MLflow's own of another home, registered and stable in a database of this one's."""
    shutil.copytree(trained, settings.home, ignore=shutil.ignore_patterns("workbench.db*", "artifacts"))
    (package,) = (trained / "artifacts" / "versions").glob("1.0.0")
    scores = json.loads((package / "performance.json").read_text())
    database = Database(settings.database)
    migrate(database)
    digest = open_store(settings).add("1.0.0", package)
    with database.transaction() as connection:
        register(connection, a_version("1.0.0", package_hash=digest, performance=scores))
        set_stable(connection, "1.0.0", actor="ada")
    database.close()


def build(settings: Settings, trained: Path, scratch: Path, rows: int) -> str:
    """A trained version that answers, documents, corrections, sealed texts, a log; returns a key."""
    _take_over(trained, settings)
    source = scratch / "drill.jsonl"
    texts = list(dict.fromkeys(one.text for one in generate(2 * _DOCUMENTS, 11)))[:_DOCUMENTS]
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    database, seals = Database(settings.database), Seals(*secret_keys(settings))
    with database.transaction() as connection:
        create_dataset(connection, "drill", ["per"], "ada")
        import_file(connection, source, dataset="drill", actor="ada")
    _correct(database, _CORRECTIONS)
    with tqdm(total=rows, desc="log rows", unit="row", leave=False) as bar:
        for first in range(0, rows, _ROWS_AT_ONCE):
            batch = batch_of([a_row(number) for number in range(first, min(first + _ROWS_AT_ONCE, rows))])
            with database.transaction() as connection:
                write(connection, batch, lambda *_: None)
            bar.update(_ROWS_AT_ONCE)
    kept = [CapturedText(f"request {number}", texts[number], "1.0.0", 0.2) for number in range(_CAPTURED)]
    with database.transaction() as connection:
        write(connection, batch_of(kept), lambda where, text: keep_text(where, seals, text))
        _, key = keys.create_key(
            connection, seals.secrets[0], "drill", "admin", rate_limit_per_hour=None, created_by="ada"
        )
    database.close()
    return key


def _correct(database: Database, count: int) -> None:
    with database.transaction() as connection:
        for document in list_documents(connection, "drill", limit=count)[0]:
            save_correction(
                connection,
                document.id,
                base_revision=0,
                spans=[EntitySpan(0, 4, "per")],
                operation_id=f"drill {document.id}",
                author="bo",
            )


def go_on_working(database: Database) -> None:
    with database.transaction() as connection:
        audit.append(connection, actor="ada", action="worked after the backup", subject="")
        write(connection, batch_of([a_row(-number) for number in range(1, 11)]), lambda *_: None)


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables for other processes."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NER_")}
    named = {f"NER_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
    return {**clean, **named, "NER_LOG_LEVEL": "WARNING"}


@contextmanager
def installation(kind: str, folder: Path) -> Iterator[Settings]:
    values = {"backup_repository": str(folder / "repository"), "backup_password": "kept elsewhere"}
    with ExitStack() as stack:
        if kind == "postgresql":
            server = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
            values["database_url"] = stack.enter_context(scratch_database(server))
        if kind == "bucket":
            (folder / "objects").mkdir()
            store = stack.enter_context(OwnObjects(folder / "objects", _BUCKET))
            os.environ.update(store.environment())
            values |= {"artifacts_url": f"s3://{_BUCKET}/ner", "s3_endpoint_url": store.url}
        yield Settings(_env_file=None, home=folder / "home", **values)  # type: ignore[call-arg, arg-type]
