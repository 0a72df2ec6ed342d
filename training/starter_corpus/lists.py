"""Reads the word lists and the frames that ship with this package."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files


@cache
def entries(name: str) -> tuple[str, ...]:
    """The lines of `gazetteers/NAME.txt`, in file order."""
    return tuple(_lines("gazetteers", name))


@cache
def groups(name: str) -> dict[str, tuple[str, ...]]:
    """The lines `group: entry; entry; ...` of `gazetteers/NAME.txt`, by group."""
    cut = (line.split(":", 1) for line in entries(name))
    return {group.strip(): tuple(entry.strip() for entry in rest.split(";")) for group, rest in cut}


@cache
def columns(name: str, width: int) -> tuple[tuple[str, ...], ...]:
    """The lines of `gazetteers/NAME.txt` cut at `|` into `width` cells, which may be empty."""
    rows = tuple(tuple(cell.strip() for cell in line.split("|")) for line in entries(name))
    for row in rows:
        if len(row) != width:
            raise ValueError(f"{name}.txt needs {width} cells in each line; this one differs: {' | '.join(row)}")
    return rows


@cache
def gazetteer_names() -> tuple[str, ...]:
    """Every list in `gazetteers`, sorted."""
    return _stems("gazetteers")


@cache
def frame_lines() -> dict[str, tuple[str, ...]]:
    """Every frame as written, by domain."""
    return {domain: tuple(_lines("frames", domain)) for domain in _stems("frames")}


def _stems(folder: str) -> tuple[str, ...]:
    found = (file.name for file in files(f"training.starter_corpus.{folder}").iterdir())
    return tuple(sorted(name.removesuffix(".txt") for name in found if name.endswith(".txt")))


def _lines(folder: str, name: str) -> Iterator[str]:
    content = (files(f"training.starter_corpus.{folder}") / f"{name}.txt").read_text(encoding="utf-8")
    for line in content.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()
