import hmac

from hypothesis import given
from hypothesis import strategies as st

from registry.macs import Mac


@given(st.binary(max_size=200), st.binary(max_size=5000))
def test_it_gives_what_the_standard_library_gives(key: bytes, message: bytes) -> None:
    assert Mac(key).digest(message) == hmac.digest(key, message, "sha256")
