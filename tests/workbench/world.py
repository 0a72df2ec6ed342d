"""A small workbench to look at: the real API over a real database, with versions that know words from a list."""

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastapi.testclient import TestClient

from annotation.imports import import_file
from api.main import create_app
from api.wiring import PACKAGES
from dashboards.profile import build_profile
from ner.database import Database
from ner.documents import EntitySpan
from ner.predictions import ConfidenceKind, ScoredSpan, Tagged
from ner.roles import Role
from ner.scoring import performance
from ner.settings import Settings, secret_key
from ner.tokens import tokenize
from registry import keys, rollout
from registry.packages import PackageStore
from registry.versions import register
from tests.builders import a_version

PLACES = {"Berlin": "geo", "Oslo": "geo", "Lisbon": "geo"}
PEOPLE = {"Maria": "per", "John": "per", "Ada": "per"}
BOTH = PLACES | PEOPLE
TEXTS = tuple(f"{person} went from {there} to {back} ." for person in PEOPLE for there in PLACES for back in PLACES)


class WordListTagger:
    """Finds the words on its list, always with the same confidence for the same word."""

    confidence_kind: ConfidenceKind = "softmax"

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = dict(labels)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted(set(self._labels.values())))

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        return [self._tag(text) for text in texts]

    def _tag(self, text: str) -> Tagged:
        tokens = tokenize(text)
        found = [
            ScoredSpan(start, end, self._labels[text[start:end]], 0.6 + zlib.crc32(text[start:end].encode()) % 40 / 100)
            for start, end in tokens
            if text[start:end] in self._labels
        ]
        hashes = [zlib.crc32(text[start:end].encode()) >> 1 for start, end in tokens]
        return Tagged(tuple(found), len(tokens), len(tokens) - len(found), tuple(hashes[:16]))


def load_word_list(folder: Path) -> WordListTagger:
    return WordListTagger(json.loads((folder / "words.json").read_text(encoding="utf-8")))


def settled(text: str) -> tuple[EntitySpan, ...]:
    """What is right for a text of this world."""
    return tuple(
        EntitySpan(start, end, BOTH[text[start:end]]) for start, end in tokenize(text) if text[start:end] in BOTH
    )


@dataclass
class World:
    """A database in a folder, and the API on it. Use it inside `with world.api(...)`."""

    settings: Settings
    database: Database
    folder: Path
    clients: list[TestClient] = field(default_factory=list)

    def add_version(self, version: str, words: Mapping[str, str], **judged: object) -> None:
        """Register a version that finds `words`, measured on the texts of this world, and `judged` besides."""
        folder = self.folder / version
        folder.mkdir(parents=True)
        tagged = WordListTagger(words).tag(TEXTS)
        scores = performance([settled(text) for text in TEXTS], [one.spans for one in tagged], resamples=50) | judged
        files = {"words.json": words, "performance.json": scores, "profile.json": build_profile(TEXTS, tagged, {"to"})}
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content), encoding="utf-8")
        digest = PackageStore(self.settings.artifacts / PACKAGES).add(version, folder)
        with self.database.transaction() as connection:
            register(connection, a_version(version, performance=scores, package_hash=digest))

    def add_stable(self, version: str, words: Mapping[str, str]) -> None:
        self.add_version(version, words)
        with self.database.transaction() as connection:
            rollout.set_stable(connection, version, actor="ada", reason="the first one")

    def add_canary(self, version: str, words: Mapping[str, str], percent: float = 20) -> None:
        self.add_version(version, words)
        with self.database.transaction() as connection:
            rollout.set_canary(connection, version, percent, actor="ada", reason="looks better")

    def add_dataset(self, name: str = "news") -> None:
        path = self.folder / f"{name}.jsonl"
        path.write_bytes(labelled_lines(TEXTS))
        with self.database.transaction() as connection:
            import_file(connection, path, dataset=name, actor="ada")

    def key(self, role: Role) -> str:
        """An API key of that role."""
        with self.database.transaction() as connection:
            secret = secret_key(self.settings)
            return keys.create_key(connection, secret, role, role, rate_limit_per_hour=None, created_by="ada")[1]

    def api(self, role: Role | None) -> TestClient:
        """The running API, called with a key of that role; None sends no key."""
        app = create_app(self.settings, self.database, tagger_loader=load_word_list)
        return TestClient(app, headers={"X-API-Key": self.key(role)} if role else {})


def labelled_lines(texts: Sequence[str]) -> bytes:
    """Texts of this world as a JSONL file."""
    out = io.StringIO()
    for text in texts:
        spans = [{"start": span.start, "end": span.end, "label": span.label} for span in settled(text)]
        out.write(json.dumps({"text": text, "spans": spans}) + "\n")
    return out.getvalue().encode()
