"""Names of people and made-up names of places and companies, put together from parts.

Most people in the corpus never existed: a learner should see the shape of a name and what stands around it,
not learn a list by heart.
"""

from collections.abc import Callable
from functools import cache
from random import Random

from training.starter_corpus.grammar import Piece
from training.starter_corpus.lists import entries, groups

_SURNAME_FIRST = frozenset({"chinese", "korean"})
_INITIALS = "ABCDEFGHJKLMNPRSTVW"
_TITLES: tuple[tuple[str, int], ...] = (
    ("President", 44), ("Prime Minister", 20), ("Mr.", 12), ("Vice President", 3), ("Senator", 4), ("General", 4),
    ("King", 3), ("Queen", 2), ("Prince", 2), ("Chancellor", 3), ("Governor", 2), ("Dr.", 2), ("Ayatollah", 2),
    ("Sheikh", 1), ("Ms.", 2), ("Mrs.", 1), ("Sir", 1), ("Captain", 1), ("Judge", 1), ("Colonel", 1), ("Gen.", 1),
    ("Sen.", 1), ("Congressman", 1), ("Archbishop", 1), ("Lt. Gen.", 1), ("Premier", 1),
)  # fmt: skip
_GIVEN_ONLY_TITLES = frozenset({"King", "Queen", "Prince"})


def person(random: Random) -> str:
    """A full name: of a public figure, or of somebody put together from one culture's names."""
    draw = random.random()
    if draw < 0.22:
        return random.choice(entries("public_figures"))
    if draw < 0.32:
        return f"{_either(given, 'given', random)} {_either(surname, 'surname', random)}"
    return _combined(random)


def given(random: Random) -> str:
    """A given name."""
    return random.choice(_pool("given_names")) if random.random() < 0.93 else invented("given", random)


def surname(random: Random) -> str:
    """A surname, now and then with two parts."""
    draw = random.random()
    if draw < 0.12:
        return invented("surname", random)
    if draw < 0.15:
        return f"{random.choice(_pool('surnames'))}-{random.choice(_pool('surnames'))}"
    return random.choice(_pool("surnames"))


def leader(random: Random) -> list[Piece]:
    """A title and a name as one span, as newspapers put them."""
    names, weights = zip(*_TITLES, strict=True)
    title = random.choices(names, weights)[0]
    if title in _GIVEN_ONLY_TITLES:
        return [(f"{title} {given(random)}", "per")]
    is_short = title in {"Mr.", "Ms.", "Mrs.", "Dr."} or random.random() < 0.35
    return [(f"{title} {surname(random) if is_short else person(random)}", "per")]


def titled(name: Callable[[Random], str], *titles: str) -> Callable[[Random], str]:
    """Makes names such as `Mr. Salazar`."""
    return lambda random: f"{random.choice(titles)} {name(random)}"


def place(random: Random) -> str:
    """A place that no map shows."""
    draw = random.random()
    stem = invented("place", random)
    if draw < 0.2:
        return f"{random.choice(groups('name_parts')['before place'])} {stem}"
    if draw < 0.3:
        return f"{stem} {random.choice(groups('name_parts')['after place'])}"
    return stem


def company(random: Random) -> str:
    """A company that no register lists."""
    draw = random.random()
    trade, form = random.choice(entries("company_trades")), random.choice(entries("company_forms"))
    head = random.choice((random.choice(entries("company_heads")), surname(random), invented("company", random)))
    if draw < 0.35:
        return f"{head} {trade}"
    if draw < 0.6:
        return f"{head} {form}"
    if draw < 0.75:
        return f"{head} {trade} {form}"
    if draw < 0.82:
        return f"{surname(random)} & {surname(random)}"
    if draw < 0.88:
        return f"Bank of {place(random)}"
    return invented("company", random)


def invented(kind: str, random: Random) -> str:
    """A pronounceable word with an ending that is typical of the kind."""
    parts = groups("name_parts")
    middle = "".join(random.choices(parts["middle"], k=random.choice((0, 1, 1, 2))))
    return random.choice(parts["head"]) + middle + random.choice(parts[kind])


def acronym(random: Random) -> str:
    """Three to five capitals, a third of them with full stops."""
    letters = random.choices(_INITIALS + "IUO", k=random.choice((3, 3, 4, 5)))
    return "".join(f"{letter}." for letter in letters) if random.random() < 0.15 else "".join(letters)


@cache
def _pool(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in groups(name).values() for name in names))


def _combined(random: Random) -> str:
    culture = random.choice(tuple(groups("given_names")))
    first = random.choice(groups("given_names")[culture])
    last = random.choice(groups("surnames")[culture])
    draw = random.random()
    if culture in _SURNAME_FIRST:
        return f"{last} {first}"
    if culture == "arabic" and draw < 0.1:
        return f"{random.choice(('Abu', 'Sheikh', 'Abdul'))} {first} {last}"
    if draw < 0.06:
        return f"{first} {random.choice(_INITIALS)}. {last}"
    if draw < 0.14:
        return f"{first} {random.choice(groups('given_names')[culture])} {last}"
    if draw < 0.16:
        return f"{first} {last} {random.choice(('Jr.', 'III', 'Sr.'))}"
    if draw < 0.18:
        return f"{first[0]}. {last}"
    return f"{first} {last}"


def _either(real: Callable[[Random], str], kind: str, random: Random) -> str:
    return real(random) if random.random() < 0.5 else invented(kind, random)
