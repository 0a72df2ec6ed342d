"""Zip archives: read without unpacking to the disk, refused where they may do harm, written the same each time."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from ner.errors import MalformedFile

_MOST_FILES = 1_000_000
_LARGEST_FILE = 512 << 20
_LARGEST_TOTAL = 8 << 30
# Text packs ten to one; only what was made to explode packs three hundred to one.
_LARGEST_RATIO, _HARMLESS_TOTAL = 300, 64 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Archive:
    """A zip archive whose directory was found harmless. `names` are its files, sorted, without a system's own."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
            raise MalformedFile(f"The zip archive is damaged or cut short ({error}); copy it again.") from None
        members = [member for member in self._zip.infolist() if not member.is_dir()]
        _check(members, path.stat().st_size)
        self.names = sorted(member.filename for member in members if not _is_a_systems_own(member.filename))

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """One file as it is read. Raises MalformedFile where it is damaged."""
        try:
            with self._zip.open(name) as stream:
                yield stream
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise MalformedFile(f"{name} in the zip archive is damaged ({error}).") from None

    def text(self, name: str) -> str:
        """One file as UTF-8; to be called `within` its name."""
        with self.opened(name) as stream:
            content = stream.read()
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise MalformedFile("the bytes are not UTF-8; save it as UTF-8.", line=line) from None


class ArchiveDraft:
    """A zip archive being written: the same files give the same bytes, whenever and wherever."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive

    def add(self, name: str, content: str) -> None:
        """One file of text."""
        self._zip.writestr(_member(name), content.encode("utf-8"), zipfile.ZIP_DEFLATED)

    @contextmanager
    def adding(self, name: str) -> Iterator[IO[bytes]]:
        """One file that is written piece by piece."""
        with self._zip.open(_member(name), "w", force_zip64=True) as stream:
            yield stream


@contextmanager
def archive_into(stream: BinaryIO) -> Iterator[ArchiveDraft]:
    """An archive on `stream`, which stays open."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        yield ArchiveDraft(archive)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Let what is malformed inside name the file it is in."""
    try:
        yield
    except MalformedFile as error:
        place = f"{name}, line {error.line}" if error.line else name
        message = error.message.removeprefix(f"Line {error.line}: ")
        raise MalformedFile(f"{place}: {message}") from None


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, date_time=_LONG_AGO)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    member.create_system = 3
    return member


def _check(members: list[zipfile.ZipInfo], packed: int) -> None:
    if len(members) > _MOST_FILES:
        raise MalformedFile(f"The zip archive holds {len(members):,} files; {_MOST_FILES:,} are the most.")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if name.startswith(("/", "\\")) or "\\" in name or ":" in name[:2] or ".." in PurePosixPath(name).parts:
            raise MalformedFile(f"The zip archive holds a file that points outside of it: {name!r:.100}.")
        if name in seen:
            raise MalformedFile(f"The zip archive holds two files named {name!r:.100}.")
        seen.add(name)
        if member.flag_bits & 1:
            raise MalformedFile("The zip archive is locked with a password; pack it without one.")
        if member.file_size > _LARGEST_FILE:
            raise MalformedFile(f"{name} in the zip archive unpacks to more than {_LARGEST_FILE >> 20} MB; cut it up.")
    total = sum(member.file_size for member in members)
    if total > _LARGEST_TOTAL or (total > _HARMLESS_TOTAL and total > _LARGEST_RATIO * packed):
        raise MalformedFile(f"The zip archive unpacks to {total >> 20:,} MB, which is more than is believed of text.")


def _is_a_systems_own(name: str) -> bool:
    return name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith(".")
