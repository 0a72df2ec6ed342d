"""Every kind of fault is found, counted and shown; and a clean corpus has none."""

import pytest

from ner.documents import EntitySpan, LabelledText
from tests.training.small_corpus import small_corpus
from training.splits import Splits, part_of
from training.validation import EXAMPLES, FEWEST_ENTITIES, Before, FaultKind, validate, validate_run

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
        ("span that cuts through a word", [LabelledText(TEXT, (EntitySpan(0, 2, "per"),))], "“Ad” (per) in “Ada Byron"),
    ],
)
def test_a_fault_is_found_counted_and_shown(kind: FaultKind, documents: list[LabelledText], shown: str) -> None:
    [fault] = validate([*small_corpus(), *documents], labels=LABELS)
    assert (fault.kind, fault.count) == (kind, 1)
    assert shown in fault.examples[0]
    assert fault.severity == ("stops" if kind == "span outside the text" else "warns")
    assert fault.advice


def test_a_clean_corpus_has_no_fault() -> None:
    assert validate(small_corpus(), labels=LABELS) == []


def test_a_span_that_holds_two_others_overlaps_both() -> None:
    spans = (EntitySpan(0, 26, "per"), EntitySpan(2, 6, "geo"), EntitySpan(7, 11, "geo"))
    [fault] = validate([LabelledText("a text that is long enough", spans)])
    assert fault.count == 2


def test_a_few_examples_stand_for_many_faults() -> None:
    many = [LabelledText(f"Number {place} .", (EntitySpan(0, 6, "what"),)) for place in range(40)]
    [fault] = validate(many, labels=LABELS)
    assert (fault.count, len(fault.examples)) == (40, EXAMPLES)


def _parts(train: int, dev: int, test: int) -> Splits[LabelledText]:
    one = LabelledText(TEXT, (EntitySpan(0, 9, "per"),))
    return Splits([one] * train, [one] * dev, [one] * test)


@pytest.mark.parametrize(
    ("counts", "is_scarce"),
    [((FEWEST_ENTITIES, 1, 1), False), ((FEWEST_ENTITIES - 1, 1, 1), True), ((50, 0, 1), True), ((50, 1, 0), True)],
)
def test_a_label_is_scarce_when_a_part_holds_too_few_of_it(counts: tuple[int, int, int], is_scarce: bool) -> None:
    found = validate_run([], _parts(*counts), [], None)
    assert [fault.kind for fault in found] == ["few entities of a label"] * is_scarce
    assert not found or found[0].examples == [f"per: {counts[0]} in train, {counts[1]} in dev, {counts[2]} in test"]


def test_another_mixture_than_before_is_said_label_by_label() -> None:
    documents = [LabelledText(TEXT, (EntitySpan(0, 9, "per"), EntitySpan(21, 25, "geo")))] * 10
    found = validate_run(documents, _parts(50, 5, 5), [], Before("1.0.0", {"per": 900, "geo": 100}))
    [fault] = [one for one in found if one.kind == "share of a label has moved"]
    assert fault.examples == [
        "geo: 10% of the entities of version 1.0.0, 50% now",
        "per: 90% of the entities of version 1.0.0, 50% now",
    ]
    assert validate_run(documents, _parts(50, 5, 5), [], Before("1.0.0", {"per": 51, "geo": 49})) == []
