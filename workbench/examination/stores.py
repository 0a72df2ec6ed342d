"""What state is kept in: the database, Redis, the bucket, the packages, and the keys to all of it."""

import tempfile
from pathlib import Path

from alembic.migration import MigrationContext

from annotation.frozen_files import file_key
from annotation.search_index import INDEX_ADVICE, has_text_index
from annotation.snapshots import list_snapshots
from ner.database import Database
from ner.errors import BrokenPackage, NerError
from ner.migrations import known_revisions
from ner.settings import Settings, secret_key_path, secret_keys
from registry import audit
from registry.bucket import open_bucket
from registry.packages import open_store
from registry.resealing import waiting
from registry.rollout import current_rollout
from registry.sealing import Seals
from registry.versions import list_versions
from workbench.examination.looking import reading

_PROBE = "doctor/probe"


def database(settings: Settings) -> str:
    """It answers, has the tables of this software, and a version is stable."""
    with reading(settings) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        known = known_revisions(Database("sqlite://"))
        if found is None:
            raise NerError("The database has no tables yet; 'make up' makes them.")
        if found not in known:
            raise NerError(
                f"A newer release has brought the database to revision {found}, and this one knows {known[0]}. Answers "
                "and corrections go on; put the newer release back as soon as it is mended."
            )
        if found != known[0]:
            raise NerError(
                f"The database is at revision {found} and this software needs {known[0]}; back up, "
                "then 'workbench up' or 'python -m training worker' brings it up to date."
            )
        stable = current_rollout(connection).stable
        count = len(list_versions(connection))
    if stable is None:
        raise NerError(f"{count} versions are registered and none is stable: run 'workbench promote VERSION'.")
    return f"The database answers; {count} versions are registered and {stable} is stable."


def search(settings: Settings) -> str:
    """Texts have an index of their words."""
    with reading(settings) as connection:
        if not has_text_index(connection):
            raise NerError(f"Searches read every text: {INDEX_ADVICE[connection.dialect.name]}")
    return "Searches use an index of the words of texts."


def keys(settings: Settings) -> str:
    """The secret key is there, and nothing needs an older one."""
    if not settings.secret_key and not secret_key_path(settings).exists():
        raise NerError(
            f"The secret key is missing: there is no {secret_key_path(settings)} and NER_SECRET_KEY is empty. Restore "
            "the file from a backup; a new one would make every key void."
        )
    with reading(settings) as connection:
        late = waiting(connection, Seals(*secret_keys(settings)))
    if late:
        raise NerError(f"{late:,} values are sealed with an older key; run 'workbench keys rotate-secret'.")
    return "The secret key is there, and everything is sealed with the newest key."


def trail(settings: Settings) -> str:
    """The audit trail holds."""
    with reading(settings) as connection:
        verdict = audit.verify(connection)
    if not verdict.ok:
        raise NerError(f"{verdict.problem} Compare with a backup to learn what it said ('workbench backup --list').")
    return f"The audit trail holds, with {verdict.entries:,} entries."


def packages(settings: Settings) -> str:
    """What is unpacked here is signed and as it was registered."""
    store = open_store(settings)
    with reading(settings) as connection:
        versions = list_versions(connection)
    unpacked = [record for record in versions if store.is_unpacked(record.version) or not store.is_kept(record.version)]
    broken = []
    for record in unpacked:
        try:
            store.folder(record.version, record.package_hash)
        except BrokenPackage as error:
            broken.append(error.message)
    if broken:
        raise BrokenPackage(" ".join(broken))
    return f"The packages of {len(unpacked)} versions are as they were registered; {len(versions)} are kept."


def redis(settings: Settings) -> str:
    """It answers, where it is used."""
    if not settings.redis_url:
        return "No Redis is used: counters and cache are in the process."
    from redis import Redis, RedisError

    try:
        client = Redis.from_url(settings.redis_url, socket_connect_timeout=2, socket_timeout=2)
        client.ping()
        client.close()
    except RedisError as error:
        raise NerError(
            f"Redis does not answer ({error}). Answers go on without a cache, and limits are counted by each process; "
            "start it, or correct NER_REDIS_URL."
        ) from None
    return "Redis answers."


def bucket(settings: Settings) -> str:
    """Packages and snapshots can be written and read where they are kept, and none is lost."""
    opened = open_bucket(settings)
    if opened is None:
        return "No bucket is used: packages and snapshots are in a folder."
    with tempfile.TemporaryDirectory() as folder:
        sent, came = Path(folder) / "sent", Path(folder) / "came"
        sent.write_text("written and read by 'workbench doctor'")
        opened.put(sent, _PROBE)
        try:
            if not opened.fetch(_PROBE, came) or came.read_bytes() != sent.read_bytes():
                raise NerError(f"s3://{opened.name} does not give back what was just written; look at its own log.")
        finally:
            opened.delete(_PROBE)
    with reading(settings) as connection:
        versions = {record.version: record.package_hash for record in list_versions(connection)}
        snapshots = [one.snapshot.hash for one in list_snapshots(connection)]
    packages_lost = open_store(settings).lost(versions)
    there = set(opened.keys("snapshots"))
    snapshots_lost = [digest[:12] for digest in snapshots if file_key(digest) not in there]
    parts = (("the packages of", packages_lost), ("the snapshots", snapshots_lost))
    lost = " and ".join(f"{kind} {_listed(names)}" for kind, names in parts if names)
    if lost:
        raise NerError(
            f"s3://{opened.name} has lost {lost}. Answers go on from what machines hold; 'workbench tidy' on each puts "
            "back the packages that it holds, a restore of a backup the rest: docs/runbooks/bucket-lost.md."
        )
    return "The bucket can be written and read, and holds every package and snapshot."


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
