"""Two files whose texts are nearly the same, from import to what a version was scored on: no pair is in two parts."""

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from ner.database import Database
from ner.documents import EntitySpan, LabelledText
from ner.settings import Settings, secret_key
from registry import runs
from registry.keys import create_key
from tests.training.small_corpus import small_corpus
from tests.workbench.test_pages import visiting, words
from tests.workbench.world import World
from training.attempt import make_attempt
from training.frozen import freeze_dataset
from training.leaks import ALIKE, RUN
from training.splits import normalise, part_of

pytestmark = pytest.mark.slow

PLACES = ("Oslo", "Quito", "Lagos", "Hanoi", "Lima", "Accra", "Perth", "Turin", "Osaka", "Kiev", "Minsk", "Sofia")
ENDS = ("then", "again", "once", "there", "later", "quietly", "slowly", "often", "alone", "twice", "early", "soon")


@pytest.fixture
def api(database: Database, settings: Settings) -> Iterator[TestClient]:
    with database.transaction() as connection:
        _, key = create_key(
            connection, secret_key(settings), "ada", "admin", rate_limit_per_hour=None, created_by="system"
        )
    with TestClient(create_app(settings, database), headers={"X-API-Key": key}) as client:
        yield client


def _twins(place: str, first: str, second: str) -> tuple[LabelledText, LabelledText]:
    """The same long sentence in two parts: its end differs, and decides."""
    stem = (
        f"Ada Byron said on Monday that the long talks about the river between the two banks will go on in {place} "
        "until all of the ministers of both sides have signed what they wrote down"
    )
    spans = (EntitySpan(0, 9, "per"), EntitySpan(stem.index(place), stem.index(place) + len(place), "geo"))
    texts = [f"{stem} {one} {other} ." for one in ENDS for other in ENDS]
    found = [LabelledText(next(text for text in texts if part_of(text) == part), spans) for part in (first, second)]
    return found[0], found[1]


def _import(api: TestClient, documents: Sequence[LabelledText]) -> dict[str, Any]:
    lines = [
        {"text": one.text, "spans": [{"start": s.start, "end": s.end, "label": s.label} for s in one.spans]}
        for one in documents
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    return dict(api.post("/api/v1/datasets/news/import", content=content).raise_for_status().json())


def _share(left: str, right: str) -> float:
    sets = []
    for text in (left, right):
        said = normalise(text).split()
        sets.append({tuple(said[first : first + RUN]) for first in range(len(said) - RUN + 1)})
    return len(sets[0] & sets[1]) / max(len(sets[0] | sets[1]), 1)


def test_near_duplicates_of_two_files_are_in_one_part_and_are_named(
    api: TestClient, database: Database, settings: Settings, tmp_path: Path
) -> None:
    parts = [pair for pair in (("train", "test"), ("train", "dev"), ("dev", "test")) for _ in range(2)]
    twins = [_twins(place, *pair) for place, pair in zip(PLACES, parts, strict=False)]
    first = _import(api, [*small_corpus(), *(left for left, _ in twins)])
    second = _import(api, [right for _, right in twins])
    # They are other texts, so both are kept as documents.
    assert (first["added"], second["added"], second["skipped"]) == (first["documents"], len(twins), 0)

    body = {"dataset": "news", "recipe": "bilstm_crf.v1", "parameters": {"epochs": 1, "members": 1, "lstm_units": 40}}
    requested = api.post("/api/v1/runs", json=body).raise_for_status().json()
    with database.transaction() as connection:
        run = runs.claim_run(connection, "the journey")
    assert run is not None
    make_attempt(database, settings, run)
    told = api.get(f"/api/v1/runs/{requested['id']}").raise_for_status().json()
    assert told["status"] == "finished", told["error"]

    # The run says so, with how many and which.
    (finding,) = [one for one in told["findings"] if one["kind"] == "near-duplicate across parts"]
    assert (finding["count"], finding["severity"]) == (len(twins), "warns")
    assert all("Ada Byron said on Monday" in example for example in finding["examples"])
    with visiting(World(settings, database, tmp_path), "train", "engineer") as page:
        assert not page.exception
        assert f"Near-duplicate across parts** · {len(twins)}" in words(page)

    # Of each pair the text of the later part is left, and nothing of one part is nearly the same as one of another.
    with database.reading() as connection:
        frozen = freeze_dataset(database, settings, runs.get_run(connection, run.id))
    assert sorted(frozen.leaks) == sorted((left.text, right.text) for left, right in twins)
    held = {"train": frozen.parts.train, "dev": frozen.parts.dev, "test": frozen.parts.test}
    for (_, ours), (_, theirs) in combinations(held.items(), 2):
        long = [[one.text for one in part if len(one.text.split()) >= 8] for part in (ours, theirs)]
        assert max((_share(left, right) for left in long[0] for right in long[1]), default=0) < ALIKE
