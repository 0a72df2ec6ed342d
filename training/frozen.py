"""The data of a run: what people settled, frozen under its content hash, flat, and cut into parts."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from annotation.snapshots import freeze, read_snapshot
from ner.database import Database
from ner.documents import LabelledText, outermost
from ner.errors import InvalidInput
from ner.settings import Settings
from registry import runs
from registry.bucket import open_bucket
from registry.runs import Run
from training.leaks import near_duplicates
from training.splits import Splits, split

FEWEST_DOCUMENTS = 30


@dataclass(frozen=True, slots=True)
class Frozen:
    """`labels` are those that occur in the train part, sorted. Sequence taggers learn flat spans: of spans that nest
    or overlap the outermost ones, and `nested_left_out` counts the others. `corrections` are the documents of the
    train part that a person settled. `must_pass` is in no part. `leaks_left_out` counts train documents that were
    left out because a dev or test document is nearly the same."""

    data_version: str
    parts: Splits[LabelledText]
    labels: list[str]
    nested_left_out: int
    corrections: list[LabelledText]
    must_pass: list[LabelledText]
    leaks_left_out: int

    def weighted_train(self, correction_weight: int) -> list[LabelledText]:
        """The train part, in which each correction stands `correction_weight` times."""
        return [*self.parts.train, *(self.corrections * (correction_weight - 1))]


def freeze_dataset(database: Database, settings: Settings, run: Run) -> Frozen:
    """Freeze the run's dataset as it is now.

    Raises InvalidInput when there is too little to learn from: fewer than 30 documents, or a part without entities.
    """
    bucket = open_bucket(settings)
    with database.transaction() as connection:
        snapshot = freeze(connection, run.dataset, actor=run.requested_by, folder=settings.artifacts, bucket=bucket)
        runs.note_snapshot(connection, run, snapshot.hash)
    stored = read_snapshot(settings.artifacts, snapshot.hash, bucket)
    flat = {document.document_id: LabelledText(document.text, outermost(document.spans)) for document in stored}
    parts = split([flat[document.document_id] for document in stored if not document.must_pass])
    leaks = {place for place, _ in near_duplicates(_texts(parts.train), _texts([*parts.dev, *parts.test]))}
    parts = dataclasses.replace(
        parts, train=[document for place, document in enumerate(parts.train) if place not in leaks]
    )
    _check(run.dataset, parts)
    settled = {id(flat[document.document_id]) for document in stored if document.is_correction}
    return Frozen(
        data_version=snapshot.hash,
        parts=parts,
        labels=sorted({span.label for document in parts.train for span in document.spans}),
        nested_left_out=sum(len(one.spans) - len(flat[one.document_id].spans) for one in stored),
        corrections=[document for document in parts.train if id(document) in settled],
        must_pass=[flat[document.document_id] for document in stored if document.must_pass],
        leaks_left_out=len(leaks),
    )


def _texts(documents: Sequence[LabelledText]) -> list[str]:
    return [document.text for document in documents]


def _check(dataset: str, parts: Splits[LabelledText]) -> None:
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
