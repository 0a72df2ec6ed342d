"""Identifiers of people in what is written down: found by their form, checked by their check digits, and masked."""

import ipaddress
import re
from contextvars import ContextVar

PRIVATE: ContextVar[tuple[str, ...]] = ContextVar("private", default=())
"""What else is private while the present request is answered: the surfaces of the entities that were found."""

_EMAIL = re.compile(r"[^\W_][\w.!#$%&*+/=?^`{|}~-]*@[^\W_](?:[\w-]*\.)+[^\W\d_]{2,}")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w)")
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:])")
_PHONE = re.compile(r"(?<![\w.+])(?:\+|\()?\d(?:[ ./()-]{0,2}\d){6,14}(?!\w)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z|\d{4}-\d\d-\d\d[ T]\d\d\Z")
_SHORTEST_ENTITY = 2


def masked(text: str) -> str:
    """The text with every identifier replaced by its kind in brackets."""
    for surface in sorted(PRIVATE.get(), key=len, reverse=True):
        if len(surface) >= _SHORTEST_ENTITY:
            text = text.replace(surface, "[entity]")
    if "@" in text:
        text = _EMAIL.sub("[e-mail]", text)
    if not any(letter.isdigit() for letter in text):
        return text
    text = _IBAN.sub(lambda found: "[iban]" if _is_iban(found[0]) else found[0], text)
    text = _CARD.sub(lambda found: "[card]" if _is_card(found[0]) else found[0], text)
    text = _IP.sub(lambda found: "[ip]" if _is_address(found[0]) else found[0], text)
    return _PHONE.sub(lambda found: "[phone]" if _is_phone(found[0]) else found[0], text)


def _is_iban(found: str) -> bool:
    """ISO 13616: the number, its first four characters moved to the end, leaves 1 when divided by 97."""
    plain = found.replace(" ", "").upper()
    return 15 <= len(plain) <= 34 and int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_card(found: str) -> bool:
    """Luhn's check digit, ISO/IEC 7812."""
    digits = [int(one) for one in found if one.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_address(found: str) -> bool:
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    return not address.is_loopback and not address.is_unspecified


def _is_phone(found: str) -> bool:
    digits = sum(letter.isdigit() for letter in found)
    if _DATE.match(found):
        return False
    return 7 <= digits <= 15 if found.startswith(("+", "00", "(")) else 9 <= digits <= 15
