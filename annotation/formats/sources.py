"""A file's bytes as lines of text: gzip or not, UTF-8 or cp1252. Archives and binary files are named as such."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

from ner.errors import MalformedFile, NotFound

_ESCAPED = re.compile("[\udc80-\udcff]")
_ABOVE_ASCII = re.compile("[^\x00-\x7f]")
_CHUNK = 1 << 20
_LINES_BETWEEN_REPORTS = 5_000
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_BINARY = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
_FOREIGN = {
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF; copy its text into a text file",
}

Kind = Literal["text", "zip", "binary"]


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, to tell its format by: lines of a text, names in an archive."""

    kind: Kind
    lines: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was found readable from its first byte to its last, and how; or an archive, or a binary file.

    `name` is the file's name in lower case without `.gz`; `encoding` is a codec's name; `notes` collects sentences
    about what was found on the way.
    """

    path: Path
    name: str
    is_gzip: bool
    encoding: str
    notes: list[str] = field(default_factory=list)
    kind: Kind = "text"

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

    def chunks(self, progress: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
        """The file's bytes, unpacked where it is gzip."""
        size = self.path.stat().st_size
        with self.path.open("rb") as raw, _unpacked(raw, self.is_gzip) as unpacked:
            while chunk := unpacked.read(_CHUNK):
                yield chunk
                if progress:
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
    name = (filename or path.name).lower().removesuffix(".gz")
    try:
        kind = _kind(path, is_gzip)
        encoding, notes = _examine(path, is_gzip) if kind == "text" else ("", [])
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise MalformedFile("The gzip file is damaged or cut short; copy it again.") from None
    return Source(path, name, is_gzip, encoding, notes, kind)


def _kind(path: Path, is_gzip: bool) -> Kind:
    head = next(_chunks(path, is_gzip), b"")
    if head.startswith(_ZIP):
        if is_gzip:
            raise MalformedFile("The file is a zip archive inside gzip; unpack the gzip first.")
        return "zip"
    return "binary" if head.startswith(_BINARY) or _is_zlib(head) else "text"


def _is_zlib(head: bytes) -> bool:
    # The two bytes alone could begin a text; a text does not unpack.
    if head[:2] not in {b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"}:
        return False
    try:
        return bool(zlib.decompressobj().decompress(head, 64))
    except zlib.error:
        return False


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
