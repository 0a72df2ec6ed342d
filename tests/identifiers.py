"""Identifiers of nobody, by the thousand, in the forms that people write."""

import ipaddress
from collections.abc import Iterator
from random import Random

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _word(random: Random, least: int = 3, most: int = 9) -> str:
    return "".join(random.choices(_LETTERS, k=random.randint(least, most)))


def _digits(random: Random, count: int) -> str:
    return "".join(random.choices("0123456789", k=count))


def emails(random: Random, count: int) -> Iterator[str]:
    """Addresses with tags, dots and several levels of domain."""
    for _ in range(count):
        name = random.choice([_word(random), f"{_word(random)}.{_word(random)}", f"{_word(random)}+{_word(random)}"])
        yield f"{name}@{_word(random)}.{random.choice(['com', 'org', 'co.uk', 'de', 'example'])}"


def cards(random: Random, count: int) -> Iterator[str]:
    """Payment card numbers with a right check digit, in three writings."""
    for _ in range(count):
        body = random.choice("3456") + _digits(random, 14)
        total = sum(int(d) if place % 2 else int(d) * 2 - 9 * (int(d) > 4) for place, d in enumerate(body))
        number = body + str(-total % 10)
        joint = random.choice(["", " ", "-"])
        yield joint.join(number[first : first + 4] for first in range(0, 16, 4))


def ibans(random: Random, count: int) -> Iterator[str]:
    """German and British account numbers with right check digits, in one piece or in fours."""
    for _ in range(count):
        if random.random() < 0.5:
            country, account = "DE", _digits(random, 18)
        else:
            country, account = "GB", _word(random, 4, 4).upper() + _digits(random, 14)
        check = 98 - int("".join(str(int(one, 36)) for one in f"{account}{country}00")) % 97
        number = f"{country}{check:02d}{account}"
        yield random.choice([number, " ".join(number[first : first + 4] for first in range(0, len(number), 4))])


def ip_addresses(random: Random, count: int) -> Iterator[str]:
    """Addresses of both families, none of this machine."""
    for _ in range(count):
        if random.random() < 0.5:
            yield f"{random.randint(1, 126)}.{random.randint(0, 255)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        else:
            yield str(ipaddress.IPv6Address(random.getrandbits(128) | (1 << 127)))


def phones(random: Random, count: int) -> Iterator[str]:
    """Numbers as several countries write them."""
    for _ in range(count):
        a, b, c = _digits(random, 3), _digits(random, 3), _digits(random, 4)
        yield random.choice([f"+1 {a} {b} {c}", f"+49 {a} {b}{c}", f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"+44{a}{b}{c}"])
