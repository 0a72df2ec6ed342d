"""A name that nobody has is refused in the time that a wrong password takes."""

import argon2
from hypothesis import given, settings
from hypothesis import strategies as st

from registry import passwords
from registry.passwords import hashed, is_right


def test_what_stands_for_nobody_costs_what_a_password_costs() -> None:
    nobody, somebody = map(argon2.extract_parameters, (passwords._NOBODY, hashed("a password of somebody")))
    assert nobody == somebody


@given(st.text())
@settings(max_examples=5, deadline=None)
def test_nobody_has_a_password(password: str) -> None:
    assert not is_right(passwords._NOBODY, password)
    assert is_right(hashed(password), password)
