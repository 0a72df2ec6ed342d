"""Compiled code as it is for each kind of processor."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from registry.compiled import COMPILED, kernels

PROCESSORS = ["x86-64-v4", "x86-64-v3", "any"]


@contextmanager
def compiled_for(processor: str) -> Iterator[None]:
    """Run compiled code as for a kind of processor; skip where this machine cannot."""
    if not COMPILED:
        pytest.skip("built without a compiler")
    try:
        kernels.choose(processor)
    except ValueError as error:
        pytest.skip(str(error))
    try:
        yield
    finally:
        kernels.choose()
