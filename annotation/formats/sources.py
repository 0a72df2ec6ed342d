"""A file's bytes as lines of text: gzip or not, UTF-8 or cp1252."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

from ner.errors import MalformedFile, NotFound

_ESCAPED = re.compile("[\udc80-\udcff]")
_ABOVE_ASCII = re.compile("[^\x00-\x7f]")
_CHUNK = 1 << 20
_LINES_BETWEEN_REPORTS = 5_000
_FOREIGN = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF; copy its text into a text file",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was found readable from its first byte to its last, and how.

    `name` is the file's name in lower case without `.gz`; `encoding` is a codec's name; `notes` collects sentences
    about what was found on the way.
    """

    path: Path
    name: str
    is_gzip: bool
    encoding: str
    notes: list[str] = field(default_factory=list)

    def lines(self, progress: Callable[[int, int], None] | None = None) -> Iterator[tuple[int, str]]:
        """(line number from 1, line without its line break). Only LF and CRLF break lines: other characters
        that Unicode calls line breaks (U+0085, U+2028) are text.
        """
        with self.opened(newline="\n") as (raw, stream):
            size = self.path.stat().st_size
            for number, line in enumerate(stream, start=1):
                yield number, line.removesuffix("\n").removesuffix("\r")
                if progress and number % _LINES_BETWEEN_REPORTS == 0:
                    progress(raw.tell(), size)
        if progress:
            progress(size, size)

    @contextmanager
    def opened(self, newline: str) -> Iterator[tuple[BinaryIO, IO[str]]]:
        """(the raw file, whose position tells how far reading went; the decoded text)."""
        with self.path.open("rb") as raw, _unpacked(raw, self.is_gzip) as unpacked:
            with io.TextIOWrapper(unpacked, encoding=self.encoding, newline=newline) as stream:
                yield raw, stream


def open_source(path: Path, filename: str | None = None) -> Source:
    """Read the file through once and say how it is to be read.

    Bytes that are not UTF-8 make it cp1252, unless most of its other characters are UTF-8: then it is damaged.
    Raises MalformedFile when it is neither, is empty, is cut short, or is no text at all; NotFound when not there.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
    try:
        encoding, notes = _examine(path, is_gzip)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise MalformedFile("The gzip file is damaged or cut short; copy it again.") from None
    name = (filename or path.name).lower().removesuffix(".gz")
    return Source(path, name, is_gzip, encoding, notes)


@contextmanager
def _unpacked(raw: BinaryIO, is_gzip: bool) -> Iterator[BinaryIO]:
    if is_gzip:
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield cast(BinaryIO, unpacked)
    else:
        yield raw


def _chunks(path: Path, is_gzip: bool) -> Iterator[bytes]:
    with path.open("rb") as raw, _unpacked(raw, is_gzip) as unpacked:
        while chunk := unpacked.read(_CHUNK):
            yield chunk


def _examine(path: Path, is_gzip: bool) -> tuple[str, list[str]]:
    head = next(_chunks(path, is_gzip), b"")
    if not head:
        raise MalformedFile("The file is empty.")
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise MalformedFile(f"The file is {what}.")
    has_mark = head.startswith(codecs.BOM_UTF8)
    bad_line, strange, fine = _count_strange(path, is_gzip)
    if not strange:
        return ("utf-8-sig", ["Read as UTF-8; its byte-order mark was removed."]) if has_mark else ("utf-8", [])
    if has_mark or fine > strange:
        raise MalformedFile(
            "the bytes are not UTF-8, though the rest of the file is; mend or re-save it.", line=bad_line
        )
    _check_cp1252(path, is_gzip)
    return "cp1252", [f"Line {bad_line} is not UTF-8, so the file was read as cp1252 (Windows Western)."]


def _count_strange(path: Path, is_gzip: bool) -> tuple[int, int, int]:
    """(line of the first byte that is not UTF-8, how many such bytes, how many UTF-8 characters above ASCII)."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    bad_line, line, strange, fine = 0, 1, 0, 0
    for text in _decoded(decoder, path, is_gzip):
        if not text.isascii():
            escaped = _ESCAPED.findall(text)
            if escaped and not strange:
                bad_line = line + text.count("\n", 0, text.index(escaped[0]))
            strange += len(escaped)
            fine += len(_ABOVE_ASCII.findall(text)) - len(escaped)
        line += text.count("\n")
    return bad_line, strange, fine


def _decoded(decoder: codecs.IncrementalDecoder, path: Path, is_gzip: bool) -> Iterator[str]:
    for chunk in _chunks(path, is_gzip):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _check_cp1252(path: Path, is_gzip: bool) -> None:
    line = 1
    for chunk in _chunks(path, is_gzip):
        try:
            chunk.decode("cp1252")
        except UnicodeDecodeError as error:
            raise MalformedFile(
                f"byte 0x{chunk[error.start]:02x} is neither UTF-8 nor cp1252; save the file as UTF-8.",
                line=line + chunk.count(b"\n", 0, error.start),
            ) from None
        line += chunk.count(b"\n")
