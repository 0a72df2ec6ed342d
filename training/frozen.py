"""The data of a run: what people settled, frozen under its content hash, flat, and cut into parts."""

from dataclasses import dataclass

from annotation.snapshots import freeze, read_snapshot
from ner.database import Database
from ner.documents import LabelledText, outermost
from ner.errors import InvalidInput
from ner.settings import Settings
from registry import runs
from registry.runs import Run
from training.splits import Splits, split

FEWEST_DOCUMENTS = 30


@dataclass(frozen=True, slots=True)
class Frozen:
    """`labels` are those that occur in the train part, sorted. Sequence taggers learn flat spans: of spans that nest
    or overlap the outermost ones, and `nested_left_out` counts the others."""

    data_version: str
    parts: Splits[LabelledText]
    labels: list[str]
    nested_left_out: int


def freeze_dataset(database: Database, settings: Settings, run: Run) -> Frozen:
    """Freeze the run's dataset as it is now.

    Raises InvalidInput when there is too little to learn from: fewer than 30 documents, or a part without entities.
    """
    with database.transaction() as connection:
        snapshot = freeze(connection, run.dataset, actor=run.requested_by, folder=settings.artifacts)
        runs.note_snapshot(connection, run, snapshot.hash)
    stored = read_snapshot(settings.artifacts, snapshot.hash)
    documents = [LabelledText(document.text, outermost(document.spans)) for document in stored]
    parts = split(documents)
    _check(run.dataset, parts)
    return Frozen(
        data_version=snapshot.hash,
        parts=parts,
        labels=sorted({span.label for document in parts.train for span in document.spans}),
        nested_left_out=sum(len(document.spans) for document in stored) - sum(len(d.spans) for d in documents),
    )


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
