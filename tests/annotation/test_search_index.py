"""The indexes of a search say what a reading of every text says, whatever was done to the documents."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import regex
import sqlalchemy as sa
from alembic import command
from hypothesis import given
from hypothesis import strategies as st

from annotation.changes import list_changes, make_change, undo_change
from annotation.corrections import save_correction
from annotation.datasets import get_dataset, import_file, list_documents
from annotation.erasure import erase_text
from annotation.literals import SHORTEST, Clause, required_by
from annotation.relabelling import Change
from annotation.search import search_documents
from annotation.search_index import forget_erased, has_text_index
from ner import tables
from ner.database import Database
from ner.documents import Document, EntitySpan
from ner.migrations import alembic_config, migrate
from registry.sealing import Seals
from tests.annotation.files import a_file

CLAUSES: dict[str, list[Clause]] = {
    r"\b[A-Z]\w+ (?:River|Sea)\b": [("River", "Sea")],
    r"^North\b": [("North",)],
    r"Prime (Minister|President) Blair": [("Prime ",), ("Minister", "President"), (" Blair",)],
    r"(?:Mr\. )?Blair|Bush": [("Blair", "Bush")],
    r"(abc)+d?e{2}fgh": [("abc",), ("fgh",)],
    r"foo\b(?=b)bar": [("foobar",)],
    r"(?i)president": [("pre",), ("dent",)],  # s and i have forms that databases do not know
    r"ab(?i:QU)cd": [("abQUcd",)],
    "(?x) a b c # three": [("abc",)],
    "größe": [("größe",)],
    r"\d{4}": [],
    "ab": [],
    "River|[a-z]": [],
    "(?:River)?": [],
    "(?:River){e<=1}": [],  # fuzzy: not one of its letters is certain
    "[[:alpha:]]River": [],
    r"\p{Lu}River": [],
    "(": [],
}


@pytest.mark.parametrize(("source", "clauses"), CLAUSES.items(), ids=repr)
def test_what_an_expression_requires_is_found_in_it(source: str, clauses: list[Clause]) -> None:
    assert required_by(source) == clauses


_ATOMS = st.sampled_from(
    [*"abcsik", "ſ", "K", "ß", ".", r"\w", r"\b", "[ab]", "[^a]", " ", "(?=a)", "(?!b)", "\\\\", "{", "}", "{e}", "^"]
)
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=6).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{,2}", "*?", "{1,2}"])).map(
            lambda it: f"({it[0]}){it[1]}"
        ),
        inner.map(lambda part: f"(?i:{part})"),
        inner.map(lambda part: f"(?>{part})"),
    ),
    max_leaves=12,
)


@given(_PATTERNS, st.text("abcsikABCSIKſKßS {}\\", max_size=12))
def test_no_match_is_lost_by_what_an_expression_requires(source: str, text: str) -> None:
    try:
        matches = regex.search(source, text) is not None
    except regex.error:
        return
    held = [any(word.lower() in text.lower() for word in clause) for clause in required_by(source)]
    assert all(len(word) >= SHORTEST for clause in required_by(source) for word in clause)
    assert all(held) or not matches


LABELS = ["per", "geo", 'or"g', "größe"]
WORDS = ["Ada", "ROME", "rome", "Größe", "GRÖSSE", '"quoted"', "100%", "a_b", "\\n", "東京都", "zoë", "it"]
QUERIES: list[dict[str, str]] = [
    *({"text": text} for text in ["rome", "größe", '"quo', "100%", "a_b", "\\n", "東京都", "it", "a ada", "nowhere"]),
    *({"label": label} for label in [*LABELS, "place"]),
    *({"pattern": pattern} for pattern in ["(?:Ada|rome) ", "(?i)rome", r"^\W", "ada$"]),
    {"label": "per", "text": "rome"},
    {"label": "geo", "pattern": "Ada|Rome|rome"},
    {"text": "ada", "pattern": "rome"},
]


def _lines(random: Random, count: int) -> str:
    lines = []
    for _ in range(count):
        words = random.choices(WORDS, k=random.randint(1, 6))
        spans = [[0, len(words[0]), random.choice(LABELS)]] if random.random() < 0.7 else []
        lines.append(json.dumps({"text": " ".join(words), "spans": spans}))
    return "\n".join(lines)


def _import(database: Database, random: Random, folder: Path) -> None:
    with database.transaction() as connection:
        path = a_file(folder, _lines(random, 8))
        import_file(connection, path, dataset=random.choice(["news", "other"]), actor="ada")


def _correct(database: Database, random: Random, _: Path) -> None:
    with database.transaction() as connection:
        document = random.choice(list_documents(connection, "news", limit=1000)[0])
        labels = get_dataset(connection, "news").labels
        spans = [EntitySpan(0, random.randint(1, 2), random.choice(labels))] if random.random() < 0.8 else []
        operation = f"operation {random.random()}"
        save_correction(
            connection, document.id, base_revision=document.revision, spans=spans, operation_id=operation, author="bo"
        )


def _relabel(database: Database, random: Random, _: Path) -> None:
    with database.transaction() as connection:
        labels = get_dataset(connection, "news").labels
        one = random.choice(labels)
        target = "place" if "place" not in labels else random.choice(LABELS)
        changes = [Change("merge", (one,), target), Change("split", (one,), target, "^[Aa]")]
        change = random.choice([*changes, Change("delete", (one,))] if len(labels) > 2 else changes[1:])
        make_change(connection, "news", change, actor="eve")


def _take_back(database: Database, _: Random, __: Path) -> None:
    with database.transaction() as connection:
        made = next((one for one in list_changes(connection, "news") if not one.is_undone), None)
        if made:
            undo_change(connection, "news", made.id, actor="eve")


def _erase(database: Database, random: Random, folder: Path) -> None:
    with database.transaction() as connection:
        document = random.choice(list_documents(connection, "news", limit=1000)[0])
        erase_text(connection, document.id, seals=Seals(b"secret"), folder=folder, actor="ada", reason="asked for")


EDITS: list[Callable[[Database, Random, Path], None]] = [_import, _correct, _correct, _relabel, _take_back, _erase]


def _holds(document: Document, text: str = "", label: str = "", pattern: str = "") -> bool:
    """The specification: a look at one document. Databases agree on the case of ASCII letters alone."""
    places = (
        [span.surface(document.text) for span in document.spans if span.label == label] if label else [document.text]
    )
    return any(text.lower() in place.lower() and regex.search(pattern, place) is not None for place in places)


def _disagreements(database: Database) -> list[object]:
    wrong = []
    with database.reading() as connection:
        documents = list_documents(connection, "news", limit=1000)[0]
        for query in QUERIES:
            found, total = search_documents(connection, "news", **query, limit=1000)
            expected = [document.text for document in documents if _holds(document, **query)]
            if ([one.document.text for one in found], total) != (expected, len(expected)):
                wrong.append((query, [one.document.text for one in found], expected))
    return wrong


def _drop_the_index(database: Database) -> None:
    with database.transaction() as connection:
        if database.is_sqlite:
            for name in ("search_text_added", "search_text_deleted"):
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.exec_driver_sql("DROP TABLE search_text")
        else:
            connection.exec_driver_sql("DROP INDEX ix_documents_text_trigrams")


@pytest.fixture
def edited(database: Database, tmp_path: Path) -> Database:
    """Two datasets after random edits of every kind."""
    random = Random(5)
    for edit in [_import] * 4 + random.choices(EDITS, k=40):
        edit(database, random, tmp_path)
    return database


def test_a_search_finds_what_a_scan_finds_after_random_edits_and_without_an_index(edited: Database) -> None:
    with edited.reading() as connection:
        assert has_text_index(connection)
    assert _disagreements(edited) == []
    try:
        command.downgrade(alembic_config(edited), "0013")
        migrate(edited)  # which indexes what is there
        if edited.is_sqlite:
            # Row ids that SQLite gives away anew do not matter.
            sqlite3.connect(sa.make_url(edited.url).database or "", isolation_level=None).execute("VACUUM")
        assert _disagreements(edited) == []
        _drop_the_index(edited)
        with edited.reading() as connection:
            assert not has_text_index(connection)
        assert _disagreements(edited) == []
    finally:
        command.downgrade(alembic_config(edited), "0013")
        migrate(edited)


def test_the_letters_of_an_erased_text_leave_the_index(tmp_path: Path, migrated_file: Path) -> None:
    path = tmp_path / "test.db"
    path.write_bytes(migrated_file.read_bytes())
    database = Database(f"sqlite:///{path}")
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, "☃☃☃ in Rome\nAda in Oslo\n"), dataset="news", actor="ada")
    assert "☃".encode() in _blocks(database)
    with database.transaction() as connection:
        connection.execute(tables.documents.delete().where(tables.documents.c.text.contains("☃")))
        forget_erased(connection)
    assert "☃".encode() not in _blocks(database)
    assert b"osl" in _blocks(database)
    database.close()


def _blocks(database: Database) -> bytes:
    with database.reading() as connection:
        return b"".join(connection.scalars(sa.text("SELECT block FROM search_text_data")))
