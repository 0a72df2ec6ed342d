"""What each slot of a frame is filled with, and which label the filler carries."""

from collections.abc import Callable
from functools import cache
from random import Random
from types import MappingProxyType

from training.starter_corpus import moments, names
from training.starter_corpus.grammar import Piece, Slot
from training.starter_corpus.lists import columns, entries, groups

Filler = Callable[[Random], str | list[Piece]]

_ARTICLE = "the "
# The countries that the news names most come first in the list.
_FREQUENT_COUNTRIES = 60
_REAL = 0.88
_FAMOUS = 0.25
# Words that no dictionary has, so that a learner sees unknown words that are no names.
_COINED = ("noun", "nouns", "adj", "past", "verb")
_REAL_WORDS = 0.92


def fill(slot: Slot, random: Random) -> list[Piece]:
    """Pieces for a slot: a name may bring an article, which stays outside its span."""
    label, filler = _fillers()[slot.name]
    filled = filler(random)
    pieces = [(filled, label)] if isinstance(filled, str) else filled
    bare = [piece for text, mark in pieces for piece in _without_article(text, mark, slot.takes_article)]
    return bare if slot.is_labelled else [(text, None) for text, _ in bare]


@cache
def slot_labels() -> MappingProxyType[str, str | None]:
    """The label of each slot; None for ordinary words and for slots that label their pieces themselves."""
    return MappingProxyType({name: label for name, (label, _) in _fillers().items()})


def _without_article(text: str, label: str | None, takes_article: bool) -> list[Piece]:
    if label is None or not text.startswith(_ARTICLE):
        return [(text, label)]
    rest: Piece = (text.removeprefix(_ARTICLE), label)
    return [(_ARTICLE, None), rest] if takes_article else [rest]


@cache
def _fillers() -> dict[str, tuple[str | None, Filler]]:
    return {**_people(), **_places(), **_organisations(), **_times(), **_things(), **_words()}


def _people() -> dict[str, tuple[str | None, Filler]]:
    return {
        "person": ("per", names.person),
        "given": ("per", names.given),
        "surname": ("per", names.surname),
        "leader": ("per", names.leader),
        "leader_short": ("per", lambda random: random.choice((names.surname, names.leader))(random)),
        "mr": ("per", names.titled(names.surname, "Mr.", "Mr.", "Mr.", "Mr.", "Mr.", "Ms.", "Mrs.")),
        "doctor": ("per", names.titled(names.surname, "Dr.", "Dr.", "Professor")),
        "president": ("per", names.titled(names.person, "President")),
        "premier": ("per", names.titled(names.person, "Prime Minister")),
        "vice_president": ("per", names.titled(names.person, "Vice President")),
        "senator": ("per", names.titled(names.person, "Senator")),
        "judge": ("per", names.titled(names.person, "Judge")),
        "monarch": ("per", names.titled(names.given, "King", "King", "Queen", "Prince", "Princess")),
        "nationality": ("gpe", _nationality),
        "people": ("gpe", _mixture((0.94, _column("countries", 2)), (1.0, _listed("peoples")))),
    }


def _places() -> dict[str, tuple[str | None, Filler]]:
    cities = _mixture((_REAL, _listed("cities", best_known=95)), (1.0, names.place))
    provinces = _mixture((_REAL, _listed("provinces")), (1.0, names.place))
    fillers: dict[str, Filler] = {
        "country": _country,
        "city": cities,
        "province": provinces,
        "state": _listed("us_states"),
        "us": _mixture((0.6, _fixed("the United States")), (0.9, _fixed("the U.S.")), (0.95, _fixed("America")),
                       (1.0, _fixed("Washington"))),
        "us_adj": _fixed("U.S."),
        "area": _listed("areas"),
        "water": _listed("waters"),
        "mountain": _listed("mountains"),
        "site": _listed("sites"),
        "place": _mixture((0.4, cities), (0.65, _country), (0.8, _listed("us_states")), (0.9, provinces),
                          (1.0, _listed("areas"))),
    }  # fmt: skip
    return {name: ("geo", filler) for name, filler in fillers.items()}


def _organisations() -> dict[str, tuple[str | None, Filler]]:
    fillers: dict[str, Filler] = {
        "company": _mixture((0.72, _listed("companies", best_known=110)), (1.0, names.company)),
        "agency": _mixture((0.9, _listed("agencies", best_known=38)), (0.96, _body), (1.0, names.acronym)),
        "ministry": _listed("ministries"),
        "department": _listed("departments"),
        "party": _listed("parties"),
        "group": _mixture((0.93, _listed("groups", best_known=12)), (1.0, names.acronym)),
        "media": _listed("media"),
        "university": _mixture((0.9, _listed("universities")), (1.0, _college)),
        "club": _listed("clubs"),
        "band": _listed("bands"),
        "acronym": names.acronym,
        "acronym_org": _mixture((0.75, _listed("acronyms")), (1.0, names.acronym)),
        "museum": _listed("museums"),
    }
    return {name: ("org", filler) for name, filler in fillers.items()}


def _times() -> dict[str, tuple[str | None, Filler]]:
    fillers: dict[str, Filler] = {
        "day": moments.day,
        "day_number": moments.day_number,
        "month": moments.month,
        "year": moments.year,
        "date": moments.date,
        "date_year": moments.date_year,
        "month_year": moments.month_year,
        "clock": moments.clock,
        "since": moments.since,
        "century": moments.century,
        "decade_in": moments.decade,
        "when": moments.when,
    }
    return {name: ("tim", filler) for name, filler in fillers.items()}


def _things() -> dict[str, tuple[str | None, Filler]]:
    return {
        "work": ("art", _listed("works")),
        "product": ("art", _listed("products")),
        "shuttle": ("art", _fixed("Discovery", "Atlantis", "Endeavour", "Columbia", "Challenger")),
        "war": ("eve", _listed("wars")),
        "championship": ("eve", _listed("championships")),
        "festival": ("eve", _listed("festivals")),
        "holiday": ("eve", _listed("holidays")),
        "storm": ("nat", _listed("storms")),
        "storm_bare": ("nat", _mixture((0.5, names.given), (1.0, _storm_name))),
        "disease": ("nat", _listed("diseases")),
    }


def _words() -> dict[str, tuple[str | None, Filler]]:
    kinds = {kind: _fixed(*choices) for kind, choices in groups("words").items()}
    coined = {kind: _mixture((_REAL_WORDS, kinds[kind]), (1.0, _coined(kind))) for kind in _COINED}
    return {kind: (None, filler) for kind, filler in {**kinds, **coined}.items()}


def _coined(kind: str) -> Filler:
    return lambda random: names.invented(kind, random).lower()


def _fixed(*choices: str) -> Filler:
    return lambda random: random.choice(choices)


def _listed(name: str, *, best_known: int = 0) -> Filler:
    """An entry of a list; a quarter of the draws are among the `best_known` first entries."""

    def choose(random: Random) -> str:
        is_famous = best_known and random.random() < _FAMOUS
        return random.choice(entries(name)[:best_known] if is_famous else entries(name))

    return choose


def _column(name: str, place: int) -> Filler:
    filled = tuple(row[place] for row in columns(name, 3) if row[place])
    frequent = tuple(row[place] for row in columns(name, 3)[:_FREQUENT_COUNTRIES] if row[place])
    return lambda random: random.choice(frequent if random.random() < 0.55 else filled)


def _mixture(*shares: tuple[float, Filler]) -> Filler:
    """`shares`: fillers, each with the cumulative share up to which it is taken."""

    def choose(random: Random) -> str | list[Piece]:
        draw = random.random()
        return next(filler for share, filler in shares if draw < share)(random)

    return choose


def _country(random: Random) -> str | list[Piece]:
    draw = random.random()
    if draw < 0.06:
        return random.choice(("the U.S.", "the United States"))
    return _column("countries", 0)(random) if draw < 0.97 else random.choice(("America", "Europe", "Palestine"))


def _nationality(random: Random) -> str | list[Piece]:
    draw = random.random()
    if draw < 0.05:
        return [("U.S.", "geo")]
    return random.choice(entries("nationalities")) if draw < 0.15 else _column("countries", 1)(random)


def _storm_name(random: Random) -> str:
    return random.choice(entries("storms")).rsplit(" ", 1)[-1]


def _body(random: Random) -> str:
    kind = random.choice(("National", "International", "Central", "Independent", "World", "Royal", "Supreme", "Higher"))
    field = random.choice(groups("organisation_words")["field"])
    body = random.choice(groups("organisation_words")["body"])
    if random.random() < 0.4:
        return f"the {body} for {field} {random.choice(groups('organisation_words')['task'])}"
    return f"the {kind} {field} {body}"


def _college(random: Random) -> str:
    return random.choice(("the University of {}", "{} University", "{} College")).format(names.place(random))
