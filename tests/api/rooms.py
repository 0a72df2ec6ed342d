"""A whole API on a real database, with a tagger that knows a handful of words: the least that can be served."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.main import create_app
from ner.database import Database
from ner.roles import Role
from ner.settings import Settings, secret_key
from registry.keys import create_key
from registry.packages import PackageStore
from registry.rollout import set_canary, set_stable
from registry.versions import register
from tests.api.dictionary import BREAKS as BREAKS
from tests.api.dictionary import WORDS as WORDS
from tests.api.dictionary import DictionaryTagger as DictionaryTagger
from tests.builders import a_version


def load_dictionary(folder: Path) -> DictionaryTagger:
    return DictionaryTagger(folder)


@dataclass(frozen=True, slots=True)
class Room:
    """An API that runs, and what tests do beside it."""

    settings: Settings
    database: Database
    app: FastAPI
    client: TestClient

    def key(self, role: Role = "viewer", *, limit: int | None = None, name: str = "") -> str:
        with self.database.transaction() as connection:
            _, key = create_key(
                connection,
                secret_key(self.settings),
                name or f"{role} {uuid.uuid4().hex[:6]}",
                role,
                rate_limit_per_hour=limit,
                created_by="tests",
            )
        return key

    def headers(self, role: Role = "viewer", *, name: str = "") -> dict[str, str]:
        return {"X-API-Key": self.key(role, name=name)}

    def asking(self) -> httpx.AsyncClient:
        """A client for as many calls at once as one likes; the app has to run already, started by `client`."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://workbench.test", timeout=120)

    def follow(self) -> None:
        """Do now what the follower does every half second."""
        self.app.state.wiring.serving.refresh()

    def logged(self) -> None:
        """Write the prediction log now."""
        self.app.state.wiring.log.flush()

    def version(
        self, version: str, words: dict[str, str] | None = None, *, confidence: float = 0.9, breaks: bool = False
    ) -> None:
        """Register a version with its package."""
        folder = self.settings.home / f"draft {version}"
        folder.mkdir(parents=True)
        package = {"words": words or WORDS, "confidence": confidence, "breaks": breaks}
        (folder / "words.json").write_text(json.dumps(package), encoding="utf-8")
        profile = {"format": 1, "documents": 0}
        (folder / "profile.json").write_text(json.dumps(profile), encoding="utf-8")
        digest = PackageStore(self.settings.artifacts / "versions").add(version, folder)
        with self.database.transaction() as connection:
            register(connection, a_version(version, package_hash=digest))

    def stable(self, version: str = "1.0.0", **package: Any) -> None:
        self.version(version, **package)
        with self.database.transaction() as connection:
            set_stable(connection, version, actor="ada")
        self.follow()

    def canary(self, version: str, percent: float, **package: Any) -> None:
        self.version(version, **package)
        with self.database.transaction() as connection:
            set_canary(connection, version, percent, actor="ada")
        self.follow()

    def predict(self, text: str, headers: dict[str, str], **more: Any) -> dict[str, Any]:
        answer = self.client.post("/api/v1/ner/predict", json={"text": text, **more}, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def open_room(settings: Settings, database: Database) -> Room:
    app = create_app(settings, database, tagger_loader=load_dictionary, understudy="tests.api.understudy")
    return Room(settings, database, app, TestClient(app, base_url="http://workbench.test"))
