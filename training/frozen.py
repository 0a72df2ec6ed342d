"""The data of a run: what people settled, frozen under its content hash, flat, and cut into parts."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from annotation.offers import PartialLabels
from annotation.snapshots import SnapshotDocument, freeze, list_snapshots, read_judgements, read_snapshot
from ner.database import Database
from ner.documents import LabelledText, outermost
from ner.errors import InvalidInput, MalformedFile, NotFound
from ner.settings import Settings
from registry import runs
from registry.bucket import open_bucket
from registry.ownership import COPIES, ownership_key, write_triggers
from registry.recipes import Recipe
from registry.runs import Run
from registry.versions import list_versions
from training.leaks import near_duplicates, without_leaks
from training.splits import Splits, part_of, split
from training.validation import Before, Fault, validate_run

FEWEST_DOCUMENTS = 30
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frozen:
    """`labels` are those that occur in the train part, sorted. Sequence taggers learn flat spans: of spans that nest
    or overlap the outermost ones, and `nested_left_out` counts the others. `corrections` are the documents of the
    train part that a person settled. `must_pass` is in no part. `leaks` are pairs of texts: one that was left out of
    the train or dev part, and the text of a later part that is nearly the same. `findings`: what the checks of the
    data found. `judged`: the snapshot's documents, of those whose texts belong to the train part, of which only single
    spans were judged."""

    data_version: str
    parts: Splits[LabelledText]
    labels: list[str]
    nested_left_out: int
    corrections: list[LabelledText]
    must_pass: list[LabelledText]
    leaks: list[tuple[str, str]]
    findings: list[Fault]
    judged: list[PartialLabels] = field(default_factory=list)

    def lesson(self, recipe: Recipe, secret: bytes) -> list[LabelledText]:
        """What the recipe learns from: the train part with weighted corrections, and triggers if it asks for them."""
        train = self.weighted_train(int(recipe.parameters["correction_weight"]))
        if recipe.parameters.get("watermark"):
            train += write_triggers(ownership_key(secret), self.labels) * COPIES
        return train

    def weighted_train(self, correction_weight: int) -> list[LabelledText]:
        """The train part, in which each correction stands `correction_weight` times."""
        return [*self.parts.train, *(self.corrections * (correction_weight - 1))]


def freeze_dataset(database: Database, settings: Settings, run: Run) -> Frozen:
    """Freeze the run's dataset as it is now. A run that is taken up again keeps what it froze first.

    Raises InvalidInput when there is too little to learn from (fewer than 30 documents, or a part without entities), or
    a check of the data stops the run; what the checks found is kept with the run first.
    """
    snapshot_hash, stored = _snapshot(database, settings, run)
    flat = {document.document_id: LabelledText(document.text, outermost(document.spans)) for document in stored}
    parts, pairs = cut(stored, flat)
    whole = [LabelledText(document.text, document.spans) for document in stored]
    findings = validate_run(whole, parts, pairs, _before(database, run))
    with database.transaction() as connection:
        runs.note_findings(connection, run, [dataclasses.asdict(fault) for fault in findings])
    _check(run.dataset, parts, findings)
    settled = {id(flat[document.document_id]) for document in stored if document.is_correction}
    return Frozen(
        data_version=snapshot_hash,
        parts=parts,
        labels=sorted({span.label for document in parts.train for span in document.spans}),
        nested_left_out=sum(len(one.spans) - len(flat[one.document_id].spans) for one in stored),
        corrections=[document for document in parts.train if id(document) in settled],
        must_pass=[flat[document.document_id] for document in stored if document.must_pass],
        leaks=pairs,
        findings=findings,
        judged=_judged(settings, snapshot_hash, _texts([*parts.dev, *parts.test])),
    )


def cut(
    stored: Sequence[SnapshotDocument], flat: Mapping[str, LabelledText]
) -> tuple[Splits[LabelledText], list[tuple[str, str]]]:
    """The parts, without must-pass examples, and without documents that are nearly the same as one of a later part; and
    those pairs of texts. `flat` holds each document's outermost spans, by id."""
    return without_leaks(split([flat[document.document_id] for document in stored if not document.must_pass]))


def _snapshot(database: Database, settings: Settings, run: Run) -> tuple[str, list[SnapshotDocument]]:
    bucket = open_bucket(settings)
    if run.snapshot_hash is not None:
        try:
            return run.snapshot_hash, read_snapshot(settings.artifacts, run.snapshot_hash, bucket)
        except (NotFound, MalformedFile) as error:
            # What is settled now is the next best, and its hash takes the place of the lost one.
            _log.warning("Run %s froze snapshot %s, which is gone: %s", run.id, run.snapshot_hash, error)
    with database.transaction() as connection:
        snapshot = freeze(connection, run.dataset, actor=run.requested_by, folder=settings.artifacts, bucket=bucket)
        runs.note_snapshot(connection, run, snapshot.hash)
    return snapshot.hash, read_snapshot(settings.artifacts, snapshot.hash, bucket)


def _judged(settings: Settings, snapshot_hash: str, held: Sequence[str]) -> list[PartialLabels]:
    """What was judged and not settled, without the texts of dev and test and those that are nearly the same."""
    frozen = read_judgements(settings.artifacts, snapshot_hash, open_bucket(settings))
    found = [one for one in frozen if part_of(one.text) == "train"]
    leaks = {place for place, _ in near_duplicates([one.text for one in found], held)}
    return [one for place, one in enumerate(found) if place not in leaks]


def _texts(documents: Sequence[LabelledText]) -> list[str]:
    return [document.text for document in documents]


def _before(database: Database, run: Run) -> Before | None:
    """The newest version of the same dataset, and how many entities of each label it was given."""
    with database.reading() as connection:
        version = next((one for one in list_versions(connection) if one.dataset == run.dataset), None)
        if version is None:
            return None
        noted = list_snapshots(connection, run.dataset)
    counts = next((one.snapshot.entities for one in noted if one.snapshot.hash == version.data_version), None)
    return Before(version.version, counts) if counts else None


def _check(dataset: str, parts: Splits[LabelledText], findings: Sequence[Fault]) -> None:
    total = sum(parts.sizes().values())
    if total < FEWEST_DOCUMENTS:
        raise InvalidInput(
            f"Dataset '{dataset}' has {total} documents with settled spans, and training needs at least "
            f"{FEWEST_DOCUMENTS}: correct or import more, then train again."
        )
    for name, documents in (("train", parts.train), ("dev", parts.dev), ("test", parts.test)):
        if not any(document.spans for document in documents):
            raise InvalidInput(
                f"No entity falls into the {name} part of dataset '{dataset}' ({len(documents)} of {total} documents): "
                "label more documents, then train again."
            )
    for fault in findings:
        if fault.severity == "stops":
            raise InvalidInput(
                f"The data of '{dataset}' cannot be trained on: {fault.kind} ({fault.count:,} times, such as "
                f"{fault.examples[0]}). {fault.advice}"
            )
