"""Documents found by words, label and regular expression."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from annotation.corrections import save_correction
from annotation.datasets import import_file, list_documents
from annotation.search import search_documents
from ner.database import Database
from ner.documents import EntitySpan
from ner.errors import InvalidInput, NotFound
from tests.annotation.files import a_file

LINES = [
    {"text": "Ada Lovelace in Rome", "spans": [[0, 12, "per"], [16, 20, "geo"]]},
    {"text": "Rome, the group", "spans": [[0, 4, 'or"g']]},
    {"text": "100% of ada\\b's_friends", "spans": [[8, 11, "per"]]},
    {"text": "Größe in rome"},
]


@pytest.fixture
def news(database: Database, tmp_path: Path) -> Database:
    with database.transaction() as connection:
        content = "\n".join(json.dumps(line) for line in LINES)
        import_file(connection, a_file(tmp_path, content), dataset="news", actor="ada")
    return database


def found(database: Database, **query: Any) -> tuple[list[tuple[str, list[str]]], int]:
    with database.reading() as connection:
        page, total = search_documents(connection, "news", **query)
    return [(it.document.text[:5], [it.document.text[start:end] for start, end in it.hits]) for it in page], total


QUERIES: dict[str, tuple[dict[str, Any], list[tuple[str, list[str]]], int]] = {
    "words in either case": (
        {"text": "ROME"},
        [("Ada L", ["Rome"]), ("Rome,", ["Rome"]), ("Größe", ["rome"])],
        3,
    ),
    "signs as they are": ({"text": "% of ADA\\b's_"}, [("100% ", ["% of ada\\b's_"])], 1),
    "a label": ({"label": "per"}, [("Ada L", ["Ada Lovelace"]), ("100% ", ["ada"])], 2),
    "a label with a quote": ({"label": 'or"g'}, [("Rome,", ["Rome"])], 1),
    "no such label": ({"label": "g"}, [], 0),
    "a pattern": ({"pattern": r"^\w+, the"}, [("Rome,", ["Rome, the"])], 1),
    "a label and words": ({"label": "geo", "text": "rome"}, [("Ada L", ["Rome"])], 1),
    "words that are not in a span": ({"label": "per", "text": "rome"}, [], 0),
    "a label and a pattern": ({"label": "per", "pattern": "^a"}, [("100% ", ["ada"])], 1),
    "words and a pattern": ({"text": "rome", "pattern": "^Gr"}, [("Größe", ["Gr"])], 1),
    "all": ({}, [("Ada L", []), ("Rome,", []), ("100% ", []), ("Größe", [])], 4),
    "a page": ({"text": "rome", "offset": 1, "limit": 1}, [("Rome,", ["Rome"])], 3),
    "a page of a pattern": ({"pattern": "(?i)rome", "offset": 2, "limit": 5}, [("Größe", ["rome"])], 3),
}


@pytest.mark.parametrize(("query", "documents", "total"), QUERIES.values(), ids=QUERIES)
def test_documents_are_found_by(
    news: Database, query: dict[str, Any], documents: list[tuple[str, list[str]]], total: int
) -> None:
    assert found(news, **query) == (documents, total)


def test_the_newest_spans_are_searched_when_a_document_was_corrected(news: Database) -> None:
    with news.transaction() as connection:
        document = list_documents(connection, "news")[0][3]
        save_correction(
            connection,
            document.id,
            base_revision=0,
            spans=[EntitySpan(9, 13, "geo")],
            operation_id="one operation",
            author="bo",
        )
    assert found(news, label="geo") == ([("Ada L", ["Rome"]), ("Größe", ["rome"])], 2)


@pytest.mark.parametrize(
    "pattern", ["(?R)", "a|(?0)", "(x(?1)?)", "(x(?-1)?)", "(?<n>x(?&n)?)", "(?P<n>x(?P>n)?)", r"\\(?R)"]
)
def test_a_search_is_refused_when_the_pattern_calls_itself(news: Database, pattern: str) -> None:
    with pytest.raises(InvalidInput, match="calls itself or one of its groups"):
        found(news, pattern=pattern)


@pytest.mark.parametrize("pattern", [r"(?i)\(?1\)?", "(?P<n>o)(?P=n)", "(?>a)", "(?=R)"])
def test_a_pattern_that_only_looks_as_if_it_called_itself_is_searched_for(news: Database, pattern: str) -> None:
    _, total = found(news, pattern=pattern)
    assert total == sum(re.search(pattern, str(line["text"])) is not None for line in LINES)


def test_a_search_is_refused_when_the_pattern_is_broken_or_never_ends(news: Database, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no regular expression"):
        found(news, pattern="(")
    with pytest.raises(InvalidInput, match="1 to 2000 characters"):
        found(news, pattern="a" * 2_001)
    with news.transaction() as connection:
        import_file(connection, a_file(tmp_path, "a" * 60 + "!\n"), dataset="slow", actor="x")
    with news.reading() as connection, pytest.raises(InvalidInput, match="takes too long"):
        search_documents(connection, "slow", pattern="(a|a)+$")


def test_a_search_in_no_dataset_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        found(database, text="a")
