"""Every kind of fault is found, counted and shown; and a clean corpus has none."""

import pytest

from ner.documents import EntitySpan, LabelledText
from tests.training.small_corpus import small_corpus
from training.splits import part_of
from training.validation import EXAMPLES, FAULTS, validate

LABELS = {"geo", "per", "tim"}
TEXT = "Ada Byron lived near Oslo ."


def _near_twins() -> list[LabelledText]:
    stem = (
        "Officials said on Monday that the long talks about the river between the two banks will go on in Oslo "
        "until all of the ministers of both sides have signed what they wrote down in the night"
    )
    endings = ("then", "again", "once", "there", "later", "quietly", "slowly", "often", "alone", "twice", "early")
    texts = [f"{stem} {first} {second} ." for first in endings for second in endings]
    return [LabelledText(next(text for text in texts if part_of(text) == part), ()) for part in ("train", "test")]


@pytest.mark.parametrize(
    ("kind", "documents", "shown"),
    [
        ("span outside the text", [LabelledText(TEXT, (EntitySpan(21, 99, "geo"),))], "a text with 27 characters"),
        (
            "overlapping spans",
            [LabelledText(TEXT, (EntitySpan(0, 9, "per"), EntitySpan(4, 9, "per")))],
            "[0, 9) per and [4, 9) per",
        ),
        ("unknown label", [LabelledText(TEXT, (EntitySpan(0, 9, "person"),))], "[0, 9) person"),
        (
            "same text labelled differently",
            [LabelledText(TEXT, (EntitySpan(0, 9, "per"),)), LabelledText(TEXT, (EntitySpan(0, 3, "per"),))],
            "2 ways",
        ),
        ("near-duplicate across parts", _near_twins(), "Officials said"),
    ],
    ids=FAULTS,
)
def test_a_fault_is_found_counted_and_shown(kind: str, documents: list[LabelledText], shown: str) -> None:
    [fault] = validate([*small_corpus(), *documents], labels=LABELS)
    assert (fault.kind, fault.count) == (kind, 1)
    assert shown in fault.examples[0]


def test_a_clean_corpus_has_no_fault() -> None:
    assert validate(small_corpus(), labels=LABELS) == []


def test_a_span_that_holds_two_others_overlaps_both() -> None:
    spans = (EntitySpan(0, 20, "per"), EntitySpan(1, 3, "geo"), EntitySpan(5, 8, "geo"))
    [fault] = validate([LabelledText("a text that is long enough", spans)])
    assert fault.count == 2


def test_a_few_examples_stand_for_many_faults() -> None:
    many = [LabelledText(f"Number {place} .", (EntitySpan(0, 6, "what"),)) for place in range(40)]
    [fault] = validate(many, labels=LABELS)
    assert (fault.count, len(fault.examples)) == (40, EXAMPLES)
