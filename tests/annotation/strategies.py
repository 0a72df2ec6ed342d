"""Texts and spans of every kind, for properties that hold for all of them."""

from hypothesis import strategies as st

from annotation.formats import WrittenDocument
from ner.documents import EntitySpan

PIECES = (
    *("Ada Lovelace", " ", "  ", "\t", "\r\n", "\n", "\r", "\u2028", "\u0085", "\u00a0", "\u200b", "\ufeff"),
    *("👩‍🚀", "🇩🇪", "e\u0301", "שלום", "مرحبا", "\u202e", "東京都", "हिन्दी", "ไทย", "U.S.", "10,000"),
    *("#", '"', '""', ",", ";", "|", "\\", "[1]", "_", "*", "->", "-DOCSTART-", "B-per", "O", "<b>&amp;", "]]>", "T1"),
)
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(PIECES), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
    ),
    min_size=1,
    max_size=12,
).map("".join)
LABELS = st.sampled_from(["per", "geo", "creative-work", "PER.NAM", "Größe", "two words", "B-x", "a_b|c[3]", "*", "_"])
META = st.dictionaries(
    st.sampled_from(["group", "source"]), st.one_of(st.integers(-(2**40), 2**40), st.text("aé🎉", max_size=3))
)


@st.composite
def documents(draw: st.DrawFn) -> WrittenDocument:
    """A text with spans anywhere, which may nest, cross and hold blanks, or with nothing settled."""
    text = draw(TEXTS.filter(bool))
    if draw(st.integers(0, 9)) == 0:
        return WrittenDocument(text, None, draw(META))
    spans = set()
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        spans.add(EntitySpan(start, draw(st.integers(start + 1, len(text))), draw(LABELS)))
    return WrittenDocument(text, tuple(sorted(spans)), draw(META))
