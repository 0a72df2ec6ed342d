"""Keys are changed by command while the API runs: nobody is refused, nothing is lost."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from annotation.sources import load_source
from ner import tables
from ner.database import Database
from ner.migrations import migrate
from ner.predictions import ScoredSpan, Tagged
from ner.settings import Settings, secret_keys
from registry.ownership import ownership_key, write_triggers
from registry.ownership_keys import best_claim, known_keys
from registry.packages import open_store
from registry.resealing import waiting
from registry.sealing import Seals
from registry.versions import register
from registry.webhooks import signing_secret
from tests.api.rooms import Room, open_room
from tests.builders import a_version
from workbench.commands import cli

Command = Callable[..., Any]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path / "home", capture_sample=1)  # type: ignore[call-arg]


@pytest.fixture
def room(settings: Settings) -> Iterator[Room]:
    database = Database(settings.database)
    migrate(database)
    opened = open_room(settings, database)
    with opened.client:
        yield opened
    database.close()


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("NER_HOME", str(settings.home))

    def run(*arguments: str) -> Any:
        outcome = CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        return json.loads(outcome.stdout)

    return run


def _texts(room: Room) -> set[str]:
    """What is kept, as a process opens it that starts now."""
    seals = Seals(*secret_keys(room.settings))
    with room.database.reading() as connection:
        rows = connection.execute(sa.select(tables.captured_texts)).all()
        return {seals.open(connection, row.sealed, context=row.request_id) for row in rows}


def _capture(room: Room) -> dict[str, str]:
    admin = room.headers("admin")
    assert room.client.put("/api/v1/capture", json={"enabled": True}, headers=admin).status_code == 200
    return admin


def test_every_text_opens_when_keys_change_under_traffic(room: Room, command: Command) -> None:
    room.stable()
    admin = _capture(room)
    sent: set[str] = set()
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.is_set():
            text = f"John {len(sent)}"
            room.predict(text, admin)
            sent.add(text)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(3):
            room.logged()
            assert command("keys", "rotate-secret")["lost"] == 0
    finally:
        stopping.set()
        asking.join()
    room.logged()
    assert room.app.state.wiring.log.dropped == 0
    assert _texts(room) == sent
    task = room.client.get("/api/v1/tasks/next", params={"source": "traffic"}, headers=admin).json()
    assert task["document"]["text"] in sent


def test_api_keys_hold_and_sessions_end_when_the_secret_key_is_new(room: Room, command: Command) -> None:
    room.stable()
    admin = _capture(room)
    room.predict("John before", admin)
    session = room.client.post("/api/v1/session", json={"key": admin["X-API-Key"]})
    cookie = session.cookies["ner_session"]
    room.logged()
    command("keys", "rotate-secret", "--installation-key")
    room.predict("John during", admin)
    room.logged()

    restarted = open_room(room.settings, room.database)
    with restarted.client:
        restarted.predict("John after", admin)
        refused = restarted.client.get("/api/v1/session", headers={"Authorization": f"Bearer {cookie}"})
        restarted.logged()
    command("keys", "rotate-secret")

    assert (refused.status_code, refused.json()["error"]["kind"]) == (401, "not_signed_in")
    assert (room.settings.home / "secret.key").stat().st_mode & 0o777 == 0o600
    assert len(secret_keys(room.settings)) == 2
    newest = Seals(secret_keys(room.settings)[0])
    with room.database.reading() as connection:
        rows = connection.execute(sa.select(tables.captured_texts)).all()
        texts = {newest.open(connection, row.sealed, context=row.request_id) for row in rows}
    assert texts == {"John before", "John during", "John after"}


class _Learned:
    """Answers the triggers of one key, as a version that was trained with them."""

    labels = ("per", "geo")

    def __init__(self, key: bytes) -> None:
        self._spans = {one.text: one.spans[0] for one in write_triggers(key, self.labels)}

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        found = [self._spans.get(text) for text in texts]
        return [Tagged((ScoredSpan(one.start, one.end, one.label, 0.9),) if one else (), 5, 5, ()) for one in found]


def test_a_version_is_still_ours_when_the_secret_key_that_it_learned_from_is_gone(room: Room, command: Command) -> None:
    room.stable()
    first = secret_keys(room.settings)[0]
    learned, foreign = _Learned(ownership_key(first)), _Learned(b"of somebody else")
    with room.database.transaction() as connection:
        register(connection, a_version("1.5.0", hyperparameters={"watermark": 1}))
    for _ in range(2):
        command("keys", "rotate-secret", "--installation-key")
        command("keys", "rotate-secret")
        path = room.settings.home / "secret.key"
        path.write_text(path.read_text().split()[0] + "\n")

    seals = Seals(*secret_keys(room.settings))
    assert first not in seals.secrets
    with room.database.reading() as connection:
        known = known_keys(connection, seals)
        assert waiting(connection, seals) == 0
    assert len(known) == 3
    assert best_claim(learned, known, learned.labels).is_ours
    assert not best_claim(foreign, known, foreign.labels).is_ours
    asked = open_room(room.settings, room.database)
    with asked.client:
        answer = asked.client.post("/api/v1/versions/1.0.0/ownership", headers=asked.headers("admin"))
    assert (answer.status_code, answer.json()["is_ours"]) == (200, False)


def test_endpoints_are_asked_and_webhooks_signed_with_what_they_were_given_while_the_secret_key_changes(
    room: Room, command: Command
) -> None:
    admin = room.headers("admin")
    room.client.post("/api/v1/datasets/news/import", content=b'{"text": "Ada"}', headers=admin).raise_for_status()
    content = {"url": "https://8.8.8.8/v1", "model": "m"}
    body = {"kind": "endpoint", "content": content, "key": "of the endpoint"}
    room.client.put("/api/v1/datasets/news/sources/llm", json=body, headers=admin).raise_for_status()
    body = {"name": "ops", "url": "https://8.8.8.8/x", "severities": ["critical"]}
    made = room.client.post("/api/v1/webhooks", json=body, headers=admin).raise_for_status().json()

    def held(seals: Seals) -> tuple[str, bytes]:
        with room.database.reading() as connection:
            source = load_source(connection, "news", "llm")
            assert source.sealed is not None
            key = seals.open(connection, source.sealed, context="suggestion source news llm")
            return key, signing_secret(connection, seals.secrets, made["id"])

    expected = ("of the endpoint", made["secret"].encode())
    before = room.app.state.wiring.seals
    command("keys", "rotate-secret", "--installation-key")
    restarted = Seals(*secret_keys(room.settings))
    assert held(before) == held(restarted) == expected
    with room.database.reading() as connection:
        assert waiting(connection, restarted) == 2
    command("keys", "rotate-secret")
    with room.database.reading() as connection:
        assert waiting(connection, restarted) == 0
    assert held(restarted) == held(Seals(secret_keys(room.settings)[0])) == expected


def test_a_secret_key_from_the_environment_is_changed_there(
    room: Room, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NER_SECRET_KEY", "from outside")
    assert room.settings.home.exists()
    with pytest.raises(Exception, match="NER_OLD_SECRET_KEYS"):
        command("keys", "rotate-secret", "--installation-key")


def test_packages_are_signed_anew_and_a_changed_one_is_not(room: Room, command: Command) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        room.version(version)
    store = open_store(room.settings)
    store._signatures.make_keys()  # type: ignore[union-attr]
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        store._signatures.sign(store.root / version)  # type: ignore[union-attr]
    before = (room.settings.home / "signing.pub").read_bytes()
    (store.root / "1.1.0" / "words.json").write_text("{}")

    outcome = command("keys", "rotate-signing")

    assert outcome["signed"] == ["1.2.0", "1.0.0"]
    assert "1.1.0" in outcome["refused"][0]
    assert (room.settings.home / "signing.pub").read_bytes() != before
    assert not (room.settings.home / "signing.key.old").exists()
    assert store._signatures.vouches_for(store.root / "1.2.0")  # type: ignore[union-attr]
    assert command("keys", "rotate-signing")["signed"] == ["1.2.0", "1.0.0"]
