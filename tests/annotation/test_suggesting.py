"""Sources of suggestions: what they find, whose word counts, and how entities from elsewhere are put back."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.corrections import save_correction
from annotation.endpoint import place_entities
from annotation.sources import SuggestionSource, delete_source, list_sources, save_source
from annotation.stored import load_dataset
from annotation.suggesting import Suggestion, suggest, without_contradictions
from ner.database import Database, utc_now
from ner.documents import EntitySpan
from ner.errors import InvalidInput, NotFound
from ner.tokens import tokenize
from tests.annotation.test_corrections import a_document


def a_source(kind: Any = "endpoint", **content: Any) -> SuggestionSource:
    return SuggestionSource("names", kind, content, 3, True, "ada", utc_now())


def an_offer(start: int, end: int, label: str, kind: str = "model", confidence: float | None = None) -> Suggestion:
    return Suggestion(start, end, label, kind, "1", kind, confidence)


def _found(database: Database, text: str) -> list[tuple[str, str, str, str]]:
    with database.reading() as connection:
        dataset = load_dataset(connection, "news")
        offers = suggest(connection, dataset, text, list_sources(connection, "news"), [])
    return [(text[one.start : one.end], one.label, one.source, one.version) for one in offers]


def _save(database: Database, name: str, kind: Any, **content: Any) -> SuggestionSource:
    with database.transaction() as connection:
        return save_source(connection, "news", name, kind, content, enabled=True, actor="ada")


def test_names_of_a_list_are_found_as_whole_words_the_longest_first(database: Database, tmp_path: Path) -> None:
    a_document(database, tmp_path)
    entries = [{"text": "York", "label": "geo"}, {"text": "New York", "label": "geo"}, {"text": "Ada", "label": "per"}]
    _save(database, "names", "gazetteer", entries=entries)

    found = _found(database, "Ada left New York, Yorkshire and York; Adam stayed in new york.")

    assert found == [("Ada", "per", "names", "1"), ("New York", "geo", "names", "1"), ("York", "geo", "names", "1")]
    _save(database, "names", "gazetteer", entries=entries, ignore_case=True)
    assert [one[0] for one in _found(database, "new york ADA")] == ["new york", "ADA"]
    assert {one[3] for one in _found(database, "new york")} == {"2"}


def test_a_pattern_finds_what_it_matches_and_a_label_that_is_none_is_left_out(
    database: Database, tmp_path: Path
) -> None:
    a_document(database, tmp_path)
    _save(database, "numbers", "pattern", pattern=r"\bE\d+\b", label="geo")
    _save(database, "planets", "pattern", pattern="Mars", label="planet")

    assert _found(database, "From E6 to Mars") == [("E6", "geo", "numbers", "1")]


def test_a_pattern_that_takes_too_long_keeps_no_document_from_people(database: Database, tmp_path: Path) -> None:
    a_document(database, tmp_path)
    _save(database, "slow", "pattern", pattern="(a|aa)+$", label="per")
    _save(database, "numbers", "pattern", pattern=r"\bE\d+\b", label="geo")

    assert _found(database, "From E6 to " + "a" * 60 + "!") == [("E6", "geo", "numbers", "1")]


def test_what_people_said_is_suggested_again_once_they_said_it_often_enough(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    _save(database, "before", "memory", least=1)
    with database.transaction() as connection:
        save_correction(
            connection,
            document.id,
            base_revision=0,
            spans=[EntitySpan(7, 11, "geo")],
            operation_id="first",
            author="bo",
        )

    assert _found(database, "Rome, Romeo and Rome") == [("Rome", "geo", "before", "1")] * 2
    _save(database, "before", "memory", least=2)
    assert _found(database, "Rome, Romeo and Rome") == []


def test_a_source_that_is_switched_off_or_gone_suggests_nothing(database: Database, tmp_path: Path) -> None:
    a_document(database, tmp_path)
    content = {"pattern": "Ada", "label": "per"}
    with database.transaction() as connection:
        save_source(connection, "news", "ada", "pattern", content, enabled=False, actor="ada")
    assert _found(database, "Ada") == []
    with database.transaction() as connection:
        saved = save_source(connection, "news", "ada", "pattern", content, enabled=True, actor="ada")
        assert saved.version == 1
    assert len(_found(database, "Ada")) == 1
    with database.transaction() as connection:
        delete_source(connection, "news", "ada", actor="ada")
        with pytest.raises(NotFound):
            delete_source(connection, "news", "ada", actor="ada")
    assert _found(database, "Ada") == []


@pytest.mark.parametrize(
    ("kind", "content", "sentence"),
    [
        ("gazetteer", {"entries": []}, "needs a list"),
        ("gazetteer", {"entries": [{"text": " ", "label": "per"}]}, "needs a text"),
        ("gazetteer", {"entries": [{"text": "Ada", "label": " "}]}, "needs a label"),
        ("pattern", {"pattern": "(", "label": "per"}, "no regular expression"),
        ("pattern", {"label": "per"}, "needs a regular expression"),
        ("memory", {"least": 0}, "from 1 to 1000"),
        ("endpoint", {"url": "ftp://there", "model": "m"}, "address"),
        ("endpoint", {"url": "http://there", "model": ""}, "model to ask"),
        ("endpoint", {"url": "http://there", "model": "m", "price_in": -1}, "Prices"),
        ("oracle", {}, "no kind of source"),
    ],
)
def test_a_source_is_refused_in_one_sentence_when_it_cannot_work(
    database: Database, tmp_path: Path, kind: str, content: dict[str, Any], sentence: str
) -> None:
    a_document(database, tmp_path)
    with pytest.raises(InvalidInput, match=sentence):
        _save(database, "names", kind, **content)


def test_what_a_person_wrote_down_stands_before_the_model_and_keeps_its_confidence() -> None:
    offers = [an_offer(0, 8, "geo", "model", 0.4), an_offer(0, 8, "geo", "gazetteer"), an_offer(4, 8, "per", "pattern")]

    flat = without_contradictions(offers, "flat")
    assert [(one.start, one.end, one.kind) for one in flat] == [(4, 8, "pattern")]
    nested = without_contradictions(offers, "nested")
    assert [(one.start, one.kind, one.confidence) for one in nested] == [(0, "gazetteer", 0.4), (4, "pattern", None)]


@given(
    st.lists(
        st.builds(
            lambda start, size, label, kind: an_offer(start, start + size, label, kind),
            *(st.integers(0, 20), st.integers(1, 6), st.sampled_from("ab"), st.sampled_from(["model", "pattern"])),
        ),
        max_size=12,
    )
)
def test_no_two_suggestions_overlap_when_the_label_set_is_flat(offers: list[Suggestion]) -> None:
    kept = without_contradictions(offers, "flat")

    covered = [place for one in kept for place in range(one.start, one.end)]
    assert len(covered) == len(set(covered))
    assert all(any(one.start < other.end and other.start < one.end for one in kept) for other in offers)


def test_entities_are_placed_where_they_stand_once_and_counted_when_not() -> None:
    text = "Ada met Bo in Rome. Bo left Rome for Oslo."
    entities = [
        {"text": "Ada", "label": "per", "context": "Ada"},
        {"text": "Rome", "label": "geo", "context": "left Rome"},
        {"text": "Bo", "label": "per", "context": "Bo"},
        {"text": "Berlin", "label": "geo", "context": "Berlin"},
        {"text": "me", "label": "geo", "context": "Ro"},
        {"text": "Oslo", "label": "planet", "context": "Oslo"},
        {"label": "per"},
    ]

    answer = place_entities(text, entities, ["per", "geo"], a_source())

    assert [(text[one.start : one.end], one.start) for one in answer.suggestions] == [("Ada", 0), ("Rome", 28)]
    assert answer.left_out == {"ambiguous": 1, "not in the text": 2, "unknown label": 1, "malformed": 1}


@given(st.text(alphabet="ab 👩é.", max_size=40), st.data())
def test_whatever_is_placed_has_the_characters_that_were_named(text: str, data: st.DataObject) -> None:
    pieces = st.text(alphabet="ab 👩é.", min_size=1, max_size=4)
    entity = st.fixed_dictionaries({"text": pieces, "label": st.just("per"), "context": pieces})
    entities = data.draw(st.lists(entity, max_size=6))

    answer = place_entities(text, entities, ["per"], a_source())

    named = {one["text"].strip() for one in entities}
    borders = tokenize(text)
    for one in answer.suggestions:
        assert text[one.start : one.end] in named
        assert one.start in {start for start, _ in borders}
        assert one.end in {end for _, end in borders}
    assert len(answer.suggestions) + sum(answer.left_out.values()) <= len(entities)
