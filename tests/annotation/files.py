"""Small files for tests, and what a reader finds in them."""

from pathlib import Path

from annotation.formats import ReadDocument, read_file

Marked = list[tuple[str, str]]


def a_file(folder: Path, content: str | bytes, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_all(path: Path, format_name: str = "auto") -> tuple[list[ReadDocument], list[str]]:
    opened = read_file(path, format_name)
    return list(opened.documents), opened.notes


def marked(document: ReadDocument) -> Marked:
    """The surfaces and labels of a document's spans."""
    return [(span.surface(document.text), span.label) for span in document.spans]
