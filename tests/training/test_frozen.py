"""What a run learns from: no leak, no must-pass example, and corrections with the weight that the recipe gives."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from annotation.imports import import_file
from annotation.offers import judge_offer
from annotation.suggesting import Suggestion
from ner import tables
from ner.database import Database, utc_now
from ner.documents import EntitySpan, LabelledText
from ner.errors import InvalidInput
from ner.settings import Settings
from registry import runs, versions
from registry.runs import Run
from registry.versions import VersionRecord
from tests.training.small_corpus import small_corpus
from tests.training.words_tagger import WordsTagger
from training.behaviour import check_behaviour
from training.frozen import Frozen, freeze_dataset
from training.splits import Splits, part_of


def _claimed(database: Database, folder: Path, rows: list[dict[str, object]]) -> Run:
    path = folder / "news.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with database.transaction() as connection:
        import_file(connection, path, dataset="news", actor="ada")
        runs.request_run(connection, "news", "bilstm_crf.v1", {}, "ada")
        run = runs.claim_run(connection, "worker")
    assert run is not None
    return run


def _frozen(database: Database, settings: Settings, folder: Path, rows: list[dict[str, object]]) -> Frozen:
    return freeze_dataset(database, settings, _claimed(database, folder, rows))


def _stored(database: Database, run: Run) -> Run:
    with database.reading() as connection:
        return runs.get_run(connection, run.id)


def _row(document: LabelledText, **meta: object) -> dict[str, object]:
    spans = [{"start": span.start, "end": span.end, "label": span.label} for span in document.spans]
    return {"text": document.text, "spans": spans, "meta": meta}


def _text_in(part: str, stem: str) -> str:
    """A text in that part; the words at its end decide."""
    endings = ("then", "again", "once", "there", "later", "quietly", "slowly", "often", "alone", "twice", "early")
    pairs = (f"{stem} {first} {second} ." for first in endings for second in endings)
    return next(text for text in pairs if part_of(text) == part)


@pytest.mark.parametrize(("left_out", "kept"), [("train", "dev"), ("train", "test"), ("dev", "test")])
def test_a_text_is_left_out_when_one_of_a_later_part_is_nearly_the_same(
    database: Database, settings: Settings, tmp_path: Path, left_out: str, kept: str
) -> None:
    stem = (
        "Ada Byron said on Monday that the long talks about the river between the two banks will go on in Oslo "
        "until all of the ministers of both sides have signed what they wrote down"
    )
    twins = [LabelledText(_text_in(part, stem), (EntitySpan(0, 9, "per"),)) for part in (left_out, kept)]
    frozen = _frozen(database, settings, tmp_path, [_row(document) for document in [*small_corpus(), *twins]])
    assert frozen.leaks == [(twins[0].text, twins[1].text)]
    assert twins[0] not in [*frozen.parts.train, *frozen.parts.dev, *frozen.parts.test]
    assert twins[1] in getattr(frozen.parts, kept)


def test_a_must_pass_example_is_in_no_part(database: Database, settings: Settings, tmp_path: Path) -> None:
    example = LabelledText("Zoe met Bob .", (EntitySpan(0, 3, "per"), EntitySpan(8, 11, "per")))
    rows = [*(_row(document) for document in small_corpus()), _row(example, must_pass=True)]
    frozen = _frozen(database, settings, tmp_path, rows)
    assert frozen.must_pass == [example]
    assert not any(example in part for part in (frozen.parts.train, frozen.parts.dev, frozen.parts.test))


@pytest.mark.parametrize(("weight", "times"), [(1, 1), (3, 3)])
def test_a_correction_stands_as_often_as_the_recipe_says(weight: int, times: int) -> None:
    imported, corrected = LabelledText("one .", ()), LabelledText("two .", ())
    frozen = Frozen("", Splits([imported, corrected], [], []), [], 0, [corrected], [], [], [])
    train = frozen.weighted_train(weight)
    assert (train.count(imported), train.count(corrected)) == (1, times)


def test_an_example_is_broken_when_anything_is_missing_or_too_much() -> None:
    tagger = WordsTagger({"Ada": "per", "Oslo": "geo"})
    right = LabelledText("Ada left Oslo .", (EntitySpan(0, 3, "per"), EntitySpan(9, 13, "geo")))
    missing = LabelledText("Ada met Bob .", (EntitySpan(0, 3, "per"), EntitySpan(8, 11, "per")))
    too_much = LabelledText("The Oslo accords .", ())
    found = check_behaviour(tagger, [right, missing, too_much], lambda: False)
    assert found["examples"] == 3
    assert [example["text"] for example in found["broken"]] == [missing.text, too_much.text]
    assert found["broken"][0]["found"] == [[0, 3, "per"]]


def test_what_was_judged_is_learned_unless_its_text_belongs_to_another_part(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    texts = [_text_in(part, "Ada Byron was seen in Oslo") for part in ("train", "dev", "test")]
    run = _claimed(database, tmp_path, [*(_row(one) for one in small_corpus()), *({"text": text} for text in texts)])
    per, geo = EntitySpan(0, 9, "per"), EntitySpan(22, 26, "geo")
    with database.transaction() as connection:
        for row in connection.execute(sa.select(tables.documents).where(tables.documents.c.text.in_(texts))).all():
            for span, verdict in ((per, "accepted"), (geo, "rejected")):
                offer = Suggestion(span.start, span.end, span.label, "model", "1.0.0", confidence=0.5)
                key = {"operation_id": f"{row.id} {verdict}", "author": "ada"}
                judge_offer(connection, row.id, row.text, offer, verdict, **key)
    first = freeze_dataset(database, settings, run)
    (judged,) = first.judged
    assert (judged.text, judged.accepted, judged.rejected) == (texts[0], [per], [geo])
    with database.transaction() as connection:
        offer = Suggestion(0, 3, "per", "model", "1.0.0", confidence=0.5)
        judge_offer(connection, judged.document_id, judged.text, offer, "rejected", operation_id="later", author="ada")
    again = freeze_dataset(database, settings, _stored(database, run))
    assert (again.data_version, again.judged) == (first.data_version, [judged])


def test_a_run_that_is_taken_up_again_learns_from_what_it_froze_first(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    run = _claimed(database, tmp_path, [_row(document) for document in small_corpus()])
    first = freeze_dataset(database, settings, run)
    more = _claimed(database, tmp_path, [_row(LabelledText("Ada Byron was here .", (EntitySpan(0, 9, "per"),)))])
    again = freeze_dataset(database, settings, _stored(database, run))
    assert (again.data_version, again.parts) == (first.data_version, first.parts)
    assert freeze_dataset(database, settings, more).data_version != first.data_version


def test_a_run_freezes_anew_when_its_snapshot_is_gone(database: Database, settings: Settings, tmp_path: Path) -> None:
    run = _claimed(database, tmp_path, [_row(document) for document in small_corpus()])
    first = freeze_dataset(database, settings, run)
    (settings.artifacts / "snapshots" / f"{first.data_version}.jsonl.gz").unlink()
    assert freeze_dataset(database, settings, _stored(database, run)).data_version == first.data_version


def test_what_the_checks_found_is_kept_with_the_run_beside_the_version_before(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    rare = LabelledText("The storm Anna passed .", (EntitySpan(10, 14, "nat"),))
    run = _claimed(database, tmp_path, [_row(document) for document in [*small_corpus(), rare]])
    first = freeze_dataset(database, settings, run)
    assert [finding["kind"] for finding in _stored(database, run).findings or []] == ["few entities of a label"]
    with database.transaction() as connection:
        versions.register(connection, _version(first.data_version))
        connection.execute(
            tables.documents.update().where(tables.documents.c.text == rare.text).values(gold=[[0, 9, "event"]])
        )
        runs.request_run(connection, "news", "bilstm_crf.v1", {}, "ada")
        second = runs.claim_run(connection, "worker")
    assert second is not None
    freeze_dataset(database, settings, second)
    found = {finding["kind"]: finding for finding in _stored(database, second).findings or []}
    assert found["label that is gone"]["examples"] == ["nat: 1 entities in the data of version 1.0.0"]
    assert found["label that is new"]["examples"] == ["event: 1 entities, none in the data of version 1.0.0"]


def test_a_run_is_stopped_and_says_what_to_do_when_most_spans_cut_through_words(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    shifted = [
        LabelledText(one.text, tuple(EntitySpan(span.start + 1, span.end, span.label) for span in one.spans))
        for one in small_corpus()
    ]
    run = _claimed(database, tmp_path, [_row(document) for document in shifted])
    with pytest.raises(InvalidInput, match="counts bytes or UTF-16 units, then import it again"):
        freeze_dataset(database, settings, run)
    [finding] = _stored(database, run).findings or []
    assert (finding["kind"], finding["severity"]) == ("most spans cut through words", "stops")


def _version(data_version: str) -> VersionRecord:
    return VersionRecord(
        version="1.0.0",
        recipe="bilstm_crf.v1",
        trained_by="ada",
        training_started_at=utc_now(),
        training_completed_at=utc_now(),
        data_version=data_version,
        dataset="news",
        git_commit="c",
        hyperparameters={},
        performance={},
        labels=["per"],
        package_hash="h",
    )
