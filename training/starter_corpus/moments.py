"""Days, dates, years and times of day."""

from random import Random

from training.starter_corpus.grammar import Piece
from training.starter_corpus.lists import entries

_DAY_PARTS = ("morning", "afternoon", "evening", "night")
_SHORT_MONTHS = ("Jan.", "Feb.", "Aug.", "Sept.", "Oct.", "Nov.", "Dec.")
_CENTURIES = ("12th", "13th", "14th", "15th", "16th", "17th", "18th", "19th", "19th", "20th", "20th", "21st")


def day(random: Random) -> str:
    """`Monday`."""
    return random.choice(entries("days"))


def day_number(random: Random) -> str:
    """`14`."""
    return str(random.randint(1, 28))


def month(random: Random) -> str:
    """`May`."""
    return random.choice(entries("months"))


def year(random: Random) -> str:
    """`2004`; recent years more often than old ones."""
    if random.random() < 0.8:
        return str(random.randint(1975, 2024))
    return str(random.randint(1400, 1974))


def date(random: Random) -> str:
    """`January 5`, `5 January`, `Jan. 5`."""
    number, draw = random.randint(1, 28), random.random()
    if draw < 0.06:
        return f"{number} {month(random)}"
    if draw < 0.12:
        return f"{random.choice(_SHORT_MONTHS)} {number}"
    return f"{month(random)} {number}"


def date_year(random: Random) -> str:
    """`January 5, 2004`."""
    if random.random() < 0.2:
        return f"{random.randint(1, 28)} {month(random)} {year(random)}"
    return f"{month(random)} {random.randint(1, 28)}, {year(random)}"


def month_year(random: Random) -> str:
    """`May 2004`."""
    return f"{month(random)} {year(random)}"


def clock(random: Random) -> str:
    """`10 a.m.`, `18:30`, `noon`."""
    hour, minutes, draw = random.randint(1, 12), random.choice(("15", "30", "45", "00")), random.random()
    if draw < 0.4:
        return f"{hour} {random.choice(('a.m.', 'p.m.'))}"
    if draw < 0.55:
        return f"{hour}:{minutes} {random.choice(('a.m.', 'p.m.', 'GMT', 'UTC'))}"
    if draw < 0.7:
        return f"{hour + 11}:{minutes}"
    if draw < 0.8:
        return f"{hour}{random.choice(('am', 'pm'))}"
    if draw < 0.9:
        return f"{hour:02d}{minutes} {random.choice(('UTC', 'GMT'))}"
    return random.choice(("noon", "midnight"))


def since(random: Random) -> str:
    """`since 2004`: the preposition belongs to the span, as in the Groningen Meaning Bank."""
    return f"since {random.choices((year, month, month_year, date), (70, 12, 12, 6))[0](random)}"


def decade(random: Random) -> list[Piece]:
    """`the 1990s`, the article outside."""
    return [("the ", None), (f"{random.choice((1920, 1930, 1940, 1950, 1960, 1970, 1980, 1990, 1990, 2000))}s", "tim")]


def century(random: Random) -> str:
    """`19th century`."""
    return f"{random.choice(_CENTURIES)} century"


def when(random: Random) -> list[Piece]:
    """A day or time that needs no preposition, or brings its own."""
    draw = random.random()
    if draw < 0.6:
        return [(day(random), "tim")]
    if draw < 0.66:
        return [(f"{day(random)} {random.choice(_DAY_PARTS)}", "tim")]
    if draw < 0.74:
        return [(random.choice(("on ", "on ", "late ", "early ", "last ", "next ")), None), (day(random), "tim")]
    if draw < 0.82:
        return [(random.choice(("today", "today", "yesterday", "tomorrow", "tonight")), "tim")]
    if draw < 0.9:
        return [("on ", None), (date(random), "tim")]
    if draw < 0.95:
        return [(random.choice(("in ", "in ", "in early ", "in late ", "last ")), None), (month(random), "tim")]
    if draw < 0.98:
        return [("in ", None), (year(random), "tim")]
    return [("at ", None), (clock(random), "tim")]
