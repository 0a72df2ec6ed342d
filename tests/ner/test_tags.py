import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner.tags import SCHEMES, SchemeName, TokenSpan, decode_tags, detect_scheme, encode_tags, split_tag


@st.composite
def token_spans(draw: st.DrawFn) -> tuple[int, list[TokenSpan]]:
    """Flat spans over a short sentence, touching ones included."""
    spans, place = [], 0
    for _ in range(draw(st.integers(0, 5))):
        first = place + draw(st.integers(0, 2))
        place = first + draw(st.integers(1, 3))
        spans.append((first, place, draw(st.sampled_from(["per", "PER.NAM", "a-b"]))))
    return place + draw(st.integers(0, 2)), spans


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BILOU", "BMES", "IOE2"])
@given(case=token_spans())
def test_spans_come_back_from_their_tags(scheme: SchemeName, case: tuple[int, list[TokenSpan]]) -> None:
    length, spans = case
    assert decode_tags(encode_tags(length, spans, scheme), scheme) == spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(case=token_spans())
def test_tags_use_only_the_letters_of_their_scheme(scheme: SchemeName, case: tuple[int, list[TokenSpan]]) -> None:
    length, spans = case
    letters = {split_tag(tag)[0] for tag in encode_tags(length, spans, scheme)} - {"O"}
    assert letters <= SCHEMES[scheme].letters


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ([["I-a", "I-a", "O", "I-b"], ["I-a", "B-a"]], "IOB1"),
        ([["B-a", "I-a", "O", "B-b"]], "IOB2"),
        ([["B-a", "I-a"], ["I-b"]], "IOB2"),
        ([["I-a", "E-a", "O", "E-b"]], "IOE2"),
        ([["B-a", "I-a", "L-a", "U-b"]], "BILOU"),
        ([["B-a", "M-a", "E-a", "S-b"]], "BMES"),
        ([["B-a", "E-a"]], "BMES"),
        ([["O", "O"]], "IOB2"),
    ],
)
def test_the_scheme_is_told_from_the_letters(tags: list[list[str]], scheme: SchemeName) -> None:
    assert detect_scheme(tags) == scheme


def test_mixed_letters_are_refused_with_the_schemes_there_are() -> None:
    with pytest.raises(ValueError, match="belong to no one scheme"):
        detect_scheme([["U-a", "S-b"]])


@pytest.mark.parametrize("tag", ["B", "-a", "B-", "BB-a", "", "o"])
def test_a_broken_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="is not a tag"):
        split_tag(tag)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["O", "I-a", "I-a"], [(1, 3, "a")]),
        (["B-a", "I-b"], [(0, 1, "a"), (1, 2, "b")]),
        (["I-a", "B-a", "I-a"], [(0, 1, "a"), (1, 3, "a")]),
    ],
)
def test_orphans_open_spans_of_their_own(tags: list[str], expected: list[TokenSpan]) -> None:
    assert decode_tags(tags) == expected


def test_two_spans_on_one_token_cannot_be_tagged() -> None:
    with pytest.raises(ValueError, match="share token 1"):
        encode_tags(3, [(0, 2, "a"), (1, 3, "b")])
