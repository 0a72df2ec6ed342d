"""The starter corpus: its frames, its lists, and what its generator promises."""

import re
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.formats import read_file
from ner.documents import EntitySpan, LabelledText, check_spans
from ner.tokens import align, tokenize
from training.starter_corpus import LABELS, generate
from training.starter_corpus.generation import frames
from training.starter_corpus.grammar import expand, join, parse, slot_names
from training.starter_corpus.lists import columns, entries, frame_lines, gazetteer_names, groups
from training.starter_corpus.slots import fill, slot_labels
from training.starter_corpus.surface import spaced

GROUPED = ("given_names", "surnames", "words", "name_parts", "organisation_words")
GMB = Path(__file__).parents[2].parent / "shared/data/gmb/ner_dataset.csv.gz"
# The same word may stand in a list for two reasons, and more often to be drawn more often.
WEIGHTED = ("words", "name_parts", "organisation_words")


@pytest.fixture(scope="module")
def corpus() -> list[LabelledText]:
    return generate(4000, 11)


def read(frame: str, seed: int = 0) -> LabelledText:
    return join(list(expand(parse(frame), fill, Random(seed))))


def surfaces(sentence: LabelledText) -> list[tuple[str, str]]:
    return [(span.surface(sentence.text), span.label) for span in sentence.spans]


def test_frames_are_many_and_none_is_written_twice() -> None:
    lines = [line for domain in frame_lines().values() for line in domain]
    assert len(lines) >= 600
    assert [line for line, count in Counter(lines).items() if count > 1] == []


def test_frames_differ_when_slots_are_taken_for_equal() -> None:
    skeletons = {re.sub(r"\{[=~]?\w+\}", "{}", line) for domain in frame_lines().values() for line in domain}
    assert len(skeletons) >= 500


def test_at_least_eighty_frames_name_nobody_and_nothing() -> None:
    labelled = {slot for slot, label in slot_labels().items() if label}
    plain = [line for line in frame_lines()["plain"] if not labelled & set(slot_names(parse(line)))]
    assert len(plain) >= 80
    assert len(plain) == len(frame_lines()["plain"])


def test_every_slot_of_every_frame_and_tail_is_known() -> None:
    asked = {slot for domain in frames().values() for frame in domain for slot in slot_names(frame)}
    asked |= {slot for tail in entries("tails") for slot in slot_names(parse(tail))}
    assert asked - set(slot_labels()) == set()


def test_every_slot_is_asked_for_by_some_frame() -> None:
    asked = {slot for domain in frames().values() for frame in domain for slot in slot_names(frame)}
    asked |= {slot for tail in entries("tails") for slot in slot_names(parse(tail))}
    assert set(slot_labels()) - asked == {"opener"}


@pytest.mark.parametrize("name", sorted(set(gazetteer_names()) - set(GROUPED) - {"countries"}))
def test_a_list_is_clean(name: str) -> None:
    assert len(entries(name)) == len(set(entries(name)))
    for entry in entries(name):
        assert entry == " ".join(entry.split())
        assert entry.removeprefix("the ")
        assert ";" not in entry


@pytest.mark.parametrize("name", GROUPED)
def test_a_list_in_groups_is_clean(name: str) -> None:
    assert len(groups(name)) == len(entries(name))
    for members in groups(name).values():
        assert all(member and member == " ".join(member.split()) for member in members)
        assert name in WEIGHTED or len(members) == len(set(members))


def test_countries_have_a_name_each_and_no_country_stands_twice() -> None:
    names = [name for name, _, _ in columns("countries", 3)]
    assert len(names) == len(set(names)) >= 190
    assert all(names)


@pytest.mark.parametrize(
    ("name", "least"), [("cities", 500), ("companies", 300), ("public_figures", 300), ("agencies", 200)]
)
def test_a_list_is_long_enough(name: str, least: int) -> None:
    assert len(entries(name)) >= least


@pytest.mark.parametrize(("name", "least"), [("given_names", 600), ("surnames", 800)])
def test_names_of_people_come_from_many_cultures(name: str, least: int) -> None:
    assert len({entry for members in groups(name).values() for entry in members}) >= least
    assert set(groups("given_names")) == set(groups("surnames"))
    assert len(groups(name)) >= 15


def test_a_list_with_the_wrong_number_of_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 2 cells"):
        columns("countries", 2)


def test_the_same_corpus_comes_out_when_the_seed_is_the_same() -> None:
    assert generate(300, 5) == generate(300, 5)


def test_another_corpus_comes_out_when_the_seed_is_another() -> None:
    assert generate(300, 5) != generate(300, 6)


def test_a_shorter_corpus_is_the_beginning_of_a_longer_one() -> None:
    assert generate(300, 5)[:100] == generate(100, 5)


def test_every_label_occurs_often(corpus: list[LabelledText]) -> None:
    counts = Counter(span.label for sentence in corpus for span in sentence.spans)
    assert set(counts) == set(LABELS)
    assert min(counts.values()) >= 100


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_spans_are_exact_flat_and_on_token_borders_for_any_seed(seed: int) -> None:
    for sentence in generate(40, seed):
        assert check_spans(sentence.text, sentence.spans, labels=LABELS) == sentence.spans
        aligned, misaligned = align(tokenize(sentence.text), sentence.spans)
        assert misaligned == []
        assert len(aligned) == len(sentence.spans)
        for surface, _ in surfaces(sentence):
            assert surface == surface.strip()


def test_no_frame_syntax_is_left_in_a_sentence(corpus: list[LabelledText]) -> None:
    for sentence in corpus:
        assert not re.search(r"[{}<>|\[\]=~]|a/an|A/AN|  |\.\.", sentence.text), sentence.text
        assert sentence.text == sentence.text.strip()


def test_sentences_are_varied_and_of_reasonable_length(corpus: list[LabelledText]) -> None:
    lengths = sorted(len(tokenize(sentence.text)) for sentence in corpus)
    assert len({sentence.text for sentence in corpus}) > 0.97 * len(corpus)
    assert 10 <= median(lengths) <= 20
    assert lengths[len(lengths) // 10] <= 9
    assert lengths[-len(lengths) // 10] >= 20
    assert lengths[-1] <= 100


def test_a_share_of_the_sentences_holds_no_entity(corpus: list[LabelledText]) -> None:
    share = sum(not sentence.spans for sentence in corpus) / len(corpus)
    assert 0.05 < share < 0.2


def test_punctuation_stands_apart_in_about_half_of_the_sentences(corpus: list[LabelledText]) -> None:
    ended = [sentence.text for sentence in corpus if sentence.text.endswith(".")]
    share = sum(text.endswith(" .") for text in ended) / len(ended)
    assert 0.35 < share < 0.65


def test_headlines_are_written_in_capitals_now_and_then(corpus: list[LabelledText]) -> None:
    assert any(sentence.text.isupper() and len(sentence.text) > 20 for sentence in corpus)


def test_a_name_without_a_label_is_filled_in_when_the_frame_says_so() -> None:
    sentence = read("The {=city}-based company left {city}.")
    assert [label for _, label in surfaces(sentence)] == ["geo"]


def test_an_article_stays_outside_the_span() -> None:
    sentence = next(
        read("I like {water}.", seed) for seed in range(50) if "like the" in read("I like {water}.", seed).text
    )
    assert sentence.spans[0].start == len("I like the ")


def test_an_article_is_left_out_when_the_frame_says_so() -> None:
    assert not any("the" in read("A {~water} boat", seed).text.split() for seed in range(50))


@pytest.mark.parametrize(
    ("following", "article"),
    [
        ("old man", "an"), ("young man", "a"), ("American", "an"), ("U.S. plane", "a"), ("European", "a"),
        ("hour", "an"), ("one-day visit", "a"), ("Ugandan", "a"), ("Ukrainian", "a"), ("umbrella", "an"),
        ("8-year-old", "an"), ("FBI agent", "an"), ("Nigerian", "a"), ("union", "a"), ("uncle", "an"),
    ],
)  # fmt: skip
def test_the_article_fits_the_next_word(following: str, article: str) -> None:
    assert read(f"It was a/an {following}.").text == f"It was {article} {following}."


def test_the_article_fits_a_filled_slot() -> None:
    for seed in range(40):
        sentence = read("It was a/an {nationality} idea.", seed)
        surface, _ = surfaces(sentence)[0]
        assert sentence.text.startswith("It was an " if surface[0] in "AEIO" and surface[:2] != "Eu" else "It was a")


def test_one_of_the_alternatives_is_taken() -> None:
    texts = {read("<red|green>[ apple]", seed).text for seed in range(60)}
    assert texts == {"Red", "Green", "Red apple", "Green apple"}


@pytest.mark.parametrize("frame", ["a > b", "<a|b", "[a", "<a]b>", "a | b"])
def test_a_frame_is_refused_when_its_brackets_do_not_match(frame: str) -> None:
    with pytest.raises(ValueError):
        parse(frame)


def test_words_with_hyphens_and_apostrophes_stay_whole_when_tokens_are_set_apart() -> None:
    text = "In the 1990s, \"al-Qaida\" left O'Brien's house (St. Paul) at 10:30 p.m."
    sentence = spaced(LabelledText(text, (EntitySpan(7, 12, "tim"), EntitySpan(15, 23, "org"))))
    assert sentence.text == "In the 1990s , \" al-Qaida \" left O'Brien 's house ( St. Paul ) at 10:30 p.m."
    assert surfaces(sentence) == [("1990s", "tim"), ("al-Qaida", "org")]


@pytest.mark.corpus
@pytest.mark.skipif(not GMB.exists(), reason="the shared corpora are not on this machine")
def test_no_sentence_of_the_corpus_it_is_measured_on_is_in_it(corpus: list[LabelledText]) -> None:
    def bare(text: str) -> str:
        return " ".join(re.findall(r"\w+", text.lower()))

    measured = {bare(document.text) for document in read_file(GMB, "gmb").documents}
    assert len(measured) > 40_000
    shared = [sentence.text for sentence in corpus if bare(sentence.text) in measured]
    assert all(len(text.split()) <= 6 for text in shared), shared
