"""Text into a stream of bytes that stays open."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def text_into(stream: BinaryIO, newline: str = "\n") -> Iterator[io.TextIOWrapper]:
    """A UTF-8 writer on `stream`, which is flushed and given back when the block ends."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline=newline)
    try:
        yield text
    finally:
        text.detach()


def blank_line_before_mark(first: str) -> str:
    """A blank line where a file would begin with U+FEFF, which a reader would take for a byte-order mark."""
    return "\n" if first.startswith("\ufeff") else ""
