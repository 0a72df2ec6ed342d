"""Offers and what became of them, single decisions, checks, effort, comments, guidelines, keys, history, erasure."""

import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from annotation import history
from annotation.capture import keep_text
from annotation.checks import is_due, plant, set_checks, settle_check
from annotation.comments import add_comment, comments_in, comments_of, settle_comment
from annotation.corrections import list_revisions
from annotation.datasets import get_document, import_file, list_documents
from annotation.effort import Effort, describe, habits, note_effort
from annotation.erasure import erase_text
from annotation.guidelines import affected_by, guidelines_of, write_guideline
from annotation.offers import judge_offer, outcomes, partial_labels, settle_offers, state_of
from annotation.preferences import bind_keys, keys_of
from annotation.snapshots import freeze, read_snapshot
from annotation.stored import load_dataset
from annotation.suggesting import Suggestion
from ner import desk_tables, tables
from ner.database import Database
from ner.documents import Document, EntitySpan
from ner.errors import Conflict, InvalidInput, InvalidSpan, MalformedFile, NotFound, UnknownLabel
from registry import audit
from registry.logged import CapturedText
from registry.sealing import Seals
from tests.annotation.files import a_file
from tests.annotation.test_corrections import GEO, PER, a_document, saved

SEALS = Seals(b"a key for tests")


def an_offer(span: EntitySpan, source: str = "model", confidence: float = 0.9) -> Suggestion:
    return Suggestion(span.start, span.end, span.label, source, "1.0.0", confidence=confidence)


def test_an_offer_is_accepted_edited_or_rejected_by_what_stands_in_its_place() -> None:
    assert state_of(PER, [PER, GEO]) == "accepted"
    assert state_of(PER, [EntitySpan(0, 6, "per")]) == "edited"
    assert state_of(PER, [EntitySpan(0, 3, "geo")]) == "edited"
    assert state_of(PER, [GEO]) == "rejected"


def test_what_became_of_offers_is_counted_by_source_and_version(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    with database.transaction() as connection:
        states = settle_offers(
            connection,
            document.id,
            [an_offer(PER), an_offer(GEO), an_offer(GEO, "names")],
            [PER],
            operation_id="first",
            author="bo",
        )
        assert states == {"accepted": 1, "rejected": 2}
        found = {one.source: one for one in outcomes(connection, "news")}
    assert (found["model"].accepted, found["model"].rejected, found["model"].accepted_share) == (1, 1, 0.5)
    low, high = found["model"].accepted_interval
    assert low < 0.1 < 0.9 < high
    assert found["names"].accepted_interval[0] == 0


def test_single_decisions_make_partial_labels_that_a_whole_answer_ends(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    with database.transaction() as connection:
        once = {"operation_id": "decision 1", "author": "bo"}
        assert judge_offer(connection, document.id, document.text, an_offer(PER), "accepted", **once)
        assert not judge_offer(connection, document.id, document.text, an_offer(PER), "accepted", **once)
        with pytest.raises(Conflict):
            judge_offer(connection, document.id, document.text, an_offer(PER), "rejected", **once)
        with pytest.raises(InvalidSpan):
            outside = an_offer(EntitySpan(0, 99, "per"))
            judge_offer(connection, document.id, document.text, outside, "accepted", operation_id="x", author="bo")
        judge_offer(
            connection, document.id, document.text, an_offer(GEO), "rejected", operation_id="decision 2", author="bo"
        )
        (partial,) = partial_labels(connection, "news")
        assert (partial.accepted, partial.rejected) == ([PER], [GEO])
        assert get_document(connection, document.id).is_gold is False
        with pytest.raises(Conflict, match="no gold document"):
            freeze(connection, "news", actor="ada", folder=tmp_path)
    saved(database, document, [PER])
    with database.reading() as connection:
        assert partial_labels(connection, "news") == []


# --- checks ---


def _checked_answer(database: Database, document: Document, takes: bool) -> tuple[list[EntitySpan], EntitySpan]:
    with database.transaction() as connection:
        dataset = load_dataset(connection, "news")
        planted = plant(connection, dataset, document, "bo", [an_offer(PER)], "1.0.0")
        assert planted is not None
        again = plant(connection, dataset, document, "bo", [], "1.0.0")
        assert again is not None
        assert again.span == planted.span
        answer = [PER, planted.span] if takes else [PER]
        kept, check = settle_check(connection, document.id, "bo", answer, is_repeated=False)
        assert check == (planted.span, "taken" if takes else "caught")
        assert plant(connection, dataset, document, "bo", [], "1.0.0") is None
        repeated, _ = settle_check(connection, document.id, "bo", answer, is_repeated=True)
        assert repeated == kept
        # Whoever puts it there after they were told means it.
        assert settle_check(connection, document.id, "bo", answer, is_repeated=False) == (answer, None)
    return kept, planted.span


@pytest.mark.parametrize("takes", [True, False])
def test_what_is_wrong_on_purpose_never_stays_in_an_answer(database: Database, tmp_path: Path, takes: bool) -> None:
    document = a_document(database, tmp_path, line='{"text": "Ada in the market of Rome"}')

    kept, planted = _checked_answer(database, document, takes)

    assert kept == [PER]
    assert document.text[planted.start : planted.end] in {"the", "market"}


def test_the_share_of_documents_with_a_check_is_the_one_that_was_asked_for(database: Database, tmp_path: Path) -> None:
    a_document(database, tmp_path)
    documents = [Document(f"{number:032x}", "news", "text") for number in range(4000)]

    assert 0.08 < sum(is_due(one, "bo", 10) for one in documents) / 4000 < 0.12
    assert not any(is_due(one, "bo", 0) for one in documents)
    with database.transaction() as connection, pytest.raises(InvalidInput, match="between 0 and 50"):
        set_checks(connection, "news", 51, actor="ada")


def _worker(chance: random.Random, misses: float, characters_a_second: float, changes: float) -> list[str]:
    """The warnings about somebody who answers 50 documents, one in ten with a check."""
    done, outcomes_of_checks = [], []
    for number in range(50):
        characters = chance.randint(80, 300)
        is_changed = chance.random() < changes
        pace = characters_a_second * chance.uniform(0.7, 1.3)
        done.append((Effort(round(1000 * characters / pace), 2, characters, int(is_changed)), True))
        if number % 10 == 0:
            outcomes_of_checks.append("taken" if chance.random() < misses else "caught")
    return describe("bo", done, outcomes_of_checks).warnings


def test_a_stamper_is_warned_of_within_fifty_documents_and_careful_people_are_not() -> None:
    chance = random.Random(3)

    careful = [_worker(chance, misses=0.05, characters_a_second=chance.uniform(8, 35), changes=0.2) for _ in range(20)]
    stampers = [
        _worker(chance, misses=1.0, characters_a_second=chance.uniform(40, 400), changes=0.0) for _ in range(20)
    ]

    assert sum(bool(warnings) for warnings in careful) == 0
    assert all(stampers)
    assert "nobody reads" in _worker(chance, misses=0.0, characters_a_second=300, changes=0.0)[0]


def test_what_answers_take_is_told_for_each_person(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    with database.transaction() as connection:
        for number, ms in enumerate((2000, 4000, 9000)):
            note_effort(
                connection,
                f"operation {number}",
                document.id,
                "bo",
                active_ms=ms,
                key_presses=number,
                characters=11,
                shown=[PER, GEO],
                answer=[PER, GEO] if number else [PER],
            )
        (found,) = habits(connection, "news")
    assert (found.person, found.answers, found.seconds_per_answer, found.keys_per_answer) == ("bo", 3, 4.0, 1.0)
    assert found.unchanged_share == pytest.approx(2 / 3)
    assert found.warnings == []


# --- comments, guidelines, keys ---


def test_a_comment_stays_with_its_characters_until_it_is_settled(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    with database.transaction() as connection:
        made = add_comment(connection, document.id, " Is this the town? ", author="bo", place=(7, 11))
        add_comment(connection, document.id, "About all of it", author="cy")
    saved(database, document, [PER])
    with database.transaction() as connection:
        assert [one.surface for one in comments_of(connection, document.id)] == ["Rome", None]
        assert (made.words, made.settled_by) == ("Is this the town?", None)
        assert settle_comment(connection, made.id, actor="cy").settled_by == "cy"
        assert [one.words for one in comments_in(connection, "news")] == ["About all of it"]
        assert len(comments_in(connection, "news", open_only=False)) == 2
        assert settle_comment(connection, made.id, actor="cy", is_settled=False).settled_at is None
        with pytest.raises(InvalidSpan):
            add_comment(connection, document.id, "outside", author="bo", place=(7, 12))
        with pytest.raises(InvalidInput):
            add_comment(connection, document.id, "  ", author="bo")
        with pytest.raises(NotFound):
            settle_comment(connection, "f" * 32, actor="bo")


def test_a_new_guideline_names_the_settled_spans_that_came_before_it(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    saved(database, document, [PER, GEO])
    example = {"text": "Ada in Rome", "start": 7, "end": 11, "is_right": True}
    with database.transaction() as connection:
        assert affected_by(connection, "news", "geo") == ([], 0)
        written = write_guideline(connection, "news", "geo", "Places.", [example], base_version=0, author="ada")
        same = write_guideline(connection, "news", "geo", "Places.", [example], base_version=0, author="ada")
        assert same.version == written.version == 1
        with pytest.raises(Conflict, match="at version 1 now, not 0"):
            write_guideline(connection, "news", "geo", "Towns.", [], base_version=0, author="bo")
        with pytest.raises(UnknownLabel):
            write_guideline(connection, "news", "planet", "Planets.", [], base_version=0, author="bo")
        with pytest.raises(InvalidInput, match="inside"):
            wrong = [{"text": "Ada", "start": 2, "end": 9}]
            write_guideline(connection, "news", "per", "People.", wrong, base_version=0, author="bo")
        (affected,), total = affected_by(connection, "news", "geo")
    assert (affected.spans, affected.guideline_version, total) == ((GEO,), 0, 1)
    saved(database, document, [GEO], base=1, operation="operation 2")
    with database.transaction() as connection:
        assert affected_by(connection, "news", "geo") == ([], 0)
        write_guideline(connection, "news", "geo", "Towns.", [], base_version=1, author="ada")
        assert affected_by(connection, "news", "geo")[0][0].guideline_version == 1
        assert [one.version for one in guidelines_of(connection, "news", label="geo")] == [2, 1]
        assert [one.words for one in guidelines_of(connection, "news")] == ["Towns."]


def test_a_persons_keys_are_kept_and_two_actions_never_share_one(database: Database) -> None:
    with database.transaction() as connection:
        assert keys_of(connection, "bo") == {}
        bind_keys(connection, "bo", {"save": ["Enter", "Enter"], "skip": ["g"]})
        assert keys_of(connection, "bo") == {"save": ["Enter"], "skip": ["g"]}
        assert keys_of(connection, "cy") == {}
        with pytest.raises(InvalidInput, match="cannot be both 'save' and 'skip'"):
            bind_keys(connection, "bo", {"save": ["g"], "skip": ["g"]})
        with pytest.raises(InvalidInput, match="labels"):
            bind_keys(connection, "bo", {"save": ["1"]})
        with pytest.raises(InvalidInput, match="needs 1 to 4 keys"):
            bind_keys(connection, "bo", {"save": []})
        assert bind_keys(connection, "bo", {}) == keys_of(connection, "bo") == {}


# --- history and erasure ---


def test_an_old_answer_is_said_again_as_the_newest_and_nothing_is_lost(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    saved(database, document, [PER, GEO])
    saved(database, document, [GEO], base=1, operation="operation 2")
    with database.transaction() as connection:
        once = {"base_revision": 2, "operation_id": "operation 3", "author": "cy"}
        assert history.restore_revision(connection, document.id, 1, **once).revision == 3
        assert history.restore_revision(connection, document.id, 1, **once).revision == 3
        assert get_document(connection, document.id).spans == (PER, GEO)
        assert [one.kind for one in list_revisions(connection, document.id)] == ["correction", "correction", "decision"]
        with pytest.raises(NotFound):
            history.restore_revision(
                connection, document.id, 9, base_revision=3, operation_id="operation 4", author="cy"
            )


def test_only_a_settled_answer_can_be_required_of_every_version(database: Database, tmp_path: Path) -> None:
    document = a_document(database, tmp_path)
    with database.transaction() as connection, pytest.raises(Conflict, match="settled"):
        history.require_answer(connection, document.id, is_required=True, actor="ada")
    saved(database, document, [PER])
    with database.transaction() as connection:
        assert history.require_answer(connection, document.id, is_required=True, actor="ada").meta["must_pass"]
        frozen = freeze(connection, "news", actor="ada", folder=tmp_path)
        assert [one.must_pass for one in read_snapshot(tmp_path, frozen.hash)] == [True]
        assert history.require_answer(connection, document.id, is_required=False, actor="ada").meta == document.meta


def _everything(database: Database) -> str:
    """All that is stored, as one string."""
    with database.reading() as connection:
        rows = [connection.execute(sa.select(table)).all() for table in tables.metadata.sorted_tables]
    return repr(rows)


def test_an_erased_text_is_nowhere_any_more_but_for_its_hashes(database: Database, tmp_path: Path) -> None:
    line = '{"text": "Zebedee in Rome"}'
    document = a_document(database, tmp_path, line=line)
    name = EntitySpan(0, 7, "per")
    with database.transaction() as connection:
        import_file(connection, a_file(tmp_path, line), dataset="copies", actor="ada")
        import_file(connection, a_file(tmp_path, '{"text": "Bo in Oslo"}'), dataset="news", actor="ada")
        other = list_documents(connection, "news")[0][1]
        keep_text(connection, SEALS, CapturedText("request 1", "Zebedee in Rome", "1.0.0", 0.2))
        keep_text(connection, SEALS, CapturedText("request 2", "Bo in Oslo", "1.0.0", 0.2))
        add_comment(connection, document.id, "Who is it?", author="bo", place=(0, 7))
        settle_offers(connection, document.id, [an_offer(name)], [name], operation_id="operation 0", author="bo")
    saved(database, document, [name])
    saved(database, other, [EntitySpan(0, 2, "per")], operation="operation 2")
    with database.transaction() as connection:
        frozen = freeze(connection, "news", actor="ada", folder=tmp_path)
    with database.transaction() as connection:
        with pytest.raises(InvalidInput, match="why"):
            erase_text(connection, document.id, seals=SEALS, folder=tmp_path, actor="ada", reason=" ")
        erased = erase_text(connection, document.id, seals=SEALS, folder=tmp_path, actor="ada", reason="asked for")

    assert "Zebedee" not in _everything(database)
    assert erased.rows["kept texts of traffic"] == 1
    assert (len(erased.documents), erased.rows["revisions"], erased.rows["comments"]) == (2, 1, 1)
    assert list(erased.snapshots) == [frozen.hash]
    assert [one.text for one in read_snapshot(tmp_path, frozen.hash)] == ["Bo in Oslo"]
    with database.reading() as connection:
        assert audit.verify(connection).ok
        entry = audit.list_entries(connection)[0][0]
        assert (entry.action, entry.details["text_hash"]) == ("document.erased", erased.text_hash)
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.captured_texts)) == 1
        assert connection.scalar(sa.select(sa.func.count()).select_from(desk_tables.comments)) == 0
        with pytest.raises(NotFound):
            get_document(connection, document.id)


def test_a_snapshot_that_was_changed_otherwise_is_still_refused_after_an_erasure(
    database: Database, tmp_path: Path
) -> None:
    document = a_document(database, tmp_path)
    saved(database, document, [PER])
    with database.transaction() as connection:
        frozen = freeze(connection, "news", actor="ada", folder=tmp_path)
        erase_text(connection, document.id, seals=SEALS, folder=tmp_path, actor="ada", reason="asked for")
    path = tmp_path / "snapshots" / f"{frozen.hash}.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-4] + b"0000")
    with pytest.raises(MalformedFile):
        read_snapshot(tmp_path, frozen.hash)
