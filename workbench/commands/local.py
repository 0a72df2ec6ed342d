"""What commands do on the files of this installation, with no server running."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from tqdm import tqdm

from annotation.formats import read_file
from ner.database import Database
from ner.documents import EntitySpan
from ner.errors import InvalidInput, NoServingVersion, NotFound
from ner.predictions import ScoredSpan, Tagger
from ner.scoring import performance
from ner.settings import Settings, load_settings
from registry.packages import open_store
from registry.rollout import current_rollout
from registry.taggers import load_tagger
from registry.versions import get_version

_BATCH = 64
Item = TypeVar("Item")


class Installation:
    """The database and the packages that NER_HOME, NER_DATABASE_URL and NER_ARTIFACTS_URL name."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self.database = Database(self.settings.database)
        if not sa.inspect(self.database.engine).has_table("versions"):
            raise NotFound(f"There is no workbench at {self.settings.home}; start one with 'make up'.")

    def tagger(self, name: str) -> tuple[str, Tagger]:
        """The version of that name or alias, loaded from its verified package."""
        version, folder = self.package(name)
        return version, load_tagger(folder)

    def package(self, name: str) -> tuple[str, Path]:
        """The version of that name or alias, and the folder of its verified package."""
        with self.database.reading() as connection:
            version = name
            if name in {"stable", "canary", "previous"}:
                version = getattr(current_rollout(connection), name)
                if version is None:
                    raise NoServingVersion(f"No version is {name} now.")
            record = get_version(connection, version)
        store = open_store(self.settings)
        return version, store.folder(version, record.package_hash)

    def evaluate(self, file: Path, version: str, format_name: str) -> dict[str, Any]:
        """The content of a performance.json for `version` on the labelled documents of `file`."""
        documents = [found for found in read_file(file, format_name).documents if found.is_labelled]
        if not documents:
            raise InvalidInput(f"{file} holds no labelled document, so there is nothing to score against.")
        name, tagger = self.tagger(version)
        predicted: list[Sequence[ScoredSpan]] = []
        gold: list[Sequence[EntitySpan]] = [found.spans for found in documents]
        with tqdm(total=len(documents), unit=" documents", desc="tagging", leave=False) as bar:
            for batch in chunks(iter(documents), _BATCH):
                predicted.extend(tagged.spans for tagged in tagger.tag([found.text for found in batch]))
                bar.update(len(batch))
        return {"version": name, **performance(gold, predicted)}


def chunks(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Lists of up to `size` items, in order."""
    while batch := list(islice(items, size)):
        yield batch
