import pytest

from ner.documents import EntitySpan, Nesting, check_spans, outermost
from ner.errors import InvalidSpan, NerError, OverlappingSpans, UnknownLabel

TEXT = "University of Cape Town 👩‍👩‍👧"
WHOLE, TOWN, CROSSING = EntitySpan(0, 23, "org"), EntitySpan(14, 23, "geo"), EntitySpan(14, 26, "art")


@pytest.mark.parametrize(("start", "end", "label"), [(-1, 2, "geo"), (3, 3, "geo"), (4, 2, "geo"), (0, 1, "")])
def test_a_span_that_cannot_be_is_refused(start: int, end: int, label: str) -> None:
    with pytest.raises(InvalidSpan):
        EntitySpan(start, end, label)


@pytest.mark.parametrize(
    ("spans", "nesting", "fault"),
    [
        ([WHOLE], "flat", None),
        ([WHOLE, TOWN], "flat", OverlappingSpans),
        ([WHOLE, TOWN], "nested", None),
        ([WHOLE, CROSSING], "nested", OverlappingSpans),
        ([WHOLE, CROSSING], "any", None),
        ([TOWN, TOWN], "any", OverlappingSpans),
        ([EntitySpan(0, 10, "org"), EntitySpan(10, 13, "org")], "flat", None),
        ([EntitySpan(20, 99, "org")], "any", InvalidSpan),
        ([EntitySpan(0, 10, "xyz")], "any", UnknownLabel),
    ],
)
def test_spans_are_held_against_text_labels_and_nesting(
    spans: list[EntitySpan], nesting: Nesting, fault: type[NerError] | None
) -> None:
    labels = {"org", "geo", "art"}
    if fault is None:
        assert list(check_spans(TEXT, spans[::-1], labels=labels, nesting=nesting)) == sorted(
            spans, key=lambda span: (span.start, -span.end)
        )
    else:
        with pytest.raises(fault):
            check_spans(TEXT, spans, labels=labels, nesting=nesting)


def test_the_outermost_spans_are_the_longest_at_their_place() -> None:
    assert outermost([TOWN, CROSSING, WHOLE, EntitySpan(24, 26, "x")]) == (WHOLE, EntitySpan(24, 26, "x"))
