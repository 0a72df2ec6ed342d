import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ner.documents import LabelledText
from training.splits import normalise, part_of, split

_PLACED = {
    "John lives in New York": "test",
    "Google acquired YouTube": "train",
    "Apple Inc is in California": "test",
    "\u6771\u4eac": "test",
    "Ann": "train",
    "": "train",
    "Ivy": "dev",
}
_TEXTS = st.lists(st.text(max_size=40), max_size=60)


def _documents(texts: list[str]) -> list[LabelledText]:
    return [LabelledText(text, ()) for text in texts]


@given(_TEXTS)
def test_every_document_falls_into_one_part_and_keeps_its_order(texts: list[str]) -> None:
    parts = split(_documents(texts))
    assert Counter(d.text for part in (parts.train, parts.dev, parts.test) for d in part) == Counter(texts)
    for part in (parts.train, parts.dev, parts.test):
        places = iter(texts)
        assert all(document.text in places for document in part)


@given(_TEXTS, _TEXTS)
def test_a_document_stays_in_its_part_when_the_dataset_grows(texts: list[str], more: list[str]) -> None:
    before, after = split(_documents(texts)), split(_documents(texts + more))
    assert after.train[: len(before.train)] == before.train
    assert after.dev[: len(before.dev)] == before.dev
    assert after.test[: len(before.test)] == before.test


@given(st.text(max_size=80))
def test_a_normalised_text_stays_as_it_is_when_it_is_normalised_again(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_near_repetitions_share_a_part() -> None:
    variants = [
        "Shares fell 3.5 % to $ 12 on Monday .",
        "shares fell 3.5% to $12 on Monday.",
        "Shares  fell 10.25 % to $ 7 on Monday !",
        "\uff33hares fell 0.1 % to $ 900 on Monday",
    ]
    assert {normalise(text) for text in variants} == {"shares fell 0 0 to 0 on monday"}
    assert len({part_of(text) for text in variants}) == 1


def test_different_texts_are_told_apart_when_they_hold_no_words() -> None:
    assert normalise("...") == "..."
    assert normalise("!!!") == "!!!"
    assert normalise("\u6771\u4eac \u5927\u962a") != normalise("\u6771\u4eac \u540d\u53e4\u5c4b")


def test_the_parts_have_the_shares_they_should_have() -> None:
    total = 20_000
    counts = Counter(part_of(f"word{chr(97 + i % 26)} {_letters(i)}") for i in range(total))
    for part, share in (("train", 0.8), ("dev", 0.1), ("test", 0.1)):
        five_sigma = 5 * math.sqrt(share * (1 - share) * total)
        assert abs(counts[part] - share * total) < five_sigma, part  # type: ignore[index]


def test_a_text_falls_into_the_part_it_always_fell_into() -> None:
    # A change of the rule would let test texts of registered versions into the training of later ones.
    assert {text: part_of(text) for text in _PLACED} == _PLACED


def _letters(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in str(number))
