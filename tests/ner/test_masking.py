"""No identifier of a person gets past, and what is none stays readable."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner.masking import PRIVATE, masked
from tests.identifiers import cards, emails, ibans, ip_addresses, phones

KINDS = {"[e-mail]": emails, "[card]": cards, "[iban]": ibans, "[ip]": ip_addresses, "[phone]": phones}


@pytest.mark.parametrize("kind", KINDS)
def test_two_thousand_identifiers_of_a_kind_are_masked(kind: str) -> None:
    for identifier in KINDS[kind](random.Random(1), 2_000):
        line = f"Version 1.0.0 failed at '{identifier}', line 17."
        assert identifier not in masked(line), identifier
        assert masked(line).startswith("Version 1.0.0 failed at '")
        assert masked(line).endswith("', line 17.")


@pytest.mark.parametrize(
    "line",
    [
        "Rollout 12: stable 1.4.0, canary 1.10.2 at 25 %, previous None.",
        "2026-11-25T01:02:03.456789+00:00",
        "2026-11-25 01:02:03",
        '  File "/srv/api/answering.py", line 154, in _together',
        "Request 0f3c2a9d8b7e6f5a4b3c2d1e0f9a8b7c failed.",
        "100,000 rows wait in memory and 12 batches on disk.",
        "listening on 127.0.0.1:8000",
    ],
)
def test_what_identifies_nobody_stays(line: str) -> None:
    assert masked(line) == line


def test_entities_that_were_found_are_masked_while_the_request_is_answered() -> None:
    token = PRIVATE.set(("Ada", "Ada Lovelace"))
    assert masked("cannot analyse Ada Lovelace of London") == "cannot analyse [entity] of London"
    PRIVATE.reset(token)
    assert masked("Ada Lovelace") == "Ada Lovelace"


@given(st.text())
def test_only_what_has_a_digit_or_an_at_sign_is_changed(text: str) -> None:
    hidden = masked(text)
    assert hidden == text or "@" in text or any(letter.isdigit() for letter in text)
