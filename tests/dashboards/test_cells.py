"""Scores tag by tag, and the spans behind each cell of the confusion matrix."""

from hypothesis import given
from hypothesis import strategies as st

from dashboards.cells import behind_cell, cells, tag_scores
from ner.documents import EntitySpan, LabelledText, text_digest
from ner.predictions import ScoredSpan, Tagged
from ner.scoring import performance

_TEXT = "Ada Lovelace met Bo in Oslo ."
_PLACES = ((0, 12, "per"), (17, 19, "per"), (23, 27, "geo"))


def answered(*spans: tuple[int, int, str]) -> Tagged:
    return Tagged(tuple(ScoredSpan(start, end, label, 0.9) for start, end, label in spans), 7, 0)


def wanted(*spans: tuple[int, int, str]) -> LabelledText:
    return LabelledText(_TEXT, tuple(EntitySpan(*span) for span in spans))


def test_tags_are_scored_token_by_token_when_a_span_is_found_in_part() -> None:
    scores = tag_scores([wanted(*_PLACES)], [answered((4, 12, "per"), (17, 19, "geo"), (23, 27, "geo"))])

    assert set(scores) == {"B-per", "I-per", "B-geo"}
    assert (scores["B-per"]["precision"], scores["B-per"]["recall"]) == (0.0, 0.0)
    assert (scores["I-per"]["recall"], scores["I-per"]["support"]) == (0.0, 1)
    assert (scores["B-geo"]["precision"], scores["B-geo"]["recall"]) == (0.5, 1.0)


_SPANS = st.lists(st.sampled_from([*_PLACES, (0, 3, "geo"), (17, 19, "org"), (20, 22, "geo")]), unique=True)


@given(gold=_SPANS, found=_SPANS)
def test_the_spans_behind_the_cells_are_as_many_as_the_matrix_counts(
    gold: list[tuple[int, int, str]], found: list[tuple[int, int, str]]
) -> None:
    documents, answers = [wanted(*gold)], [answered(*found)]
    confusion = performance([one.spans for one in documents], [one.spans for one in answers])["confusion"]
    content = cells(documents, answers)
    names = [*confusion["labels"][:-1], None]
    for row, true in enumerate(names):
        for column, predicted in enumerate(names):
            behind = behind_cell(content, true=true, predicted=predicted)
            assert sum(len(spans) for spans in behind.values()) == confusion["matrix"][row][column]
            assert set(behind) <= {text_digest(_TEXT)}


def test_no_text_is_kept_of_what_was_said() -> None:
    content = cells([wanted(*_PLACES)], [answered()])

    assert "Oslo" not in str(content)
    assert [span[1] for span in content["spans"]] == ["missed"] * 3
