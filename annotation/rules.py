"""What may be a name of a dataset and what may be a label."""

import re
from collections.abc import Iterable

from annotation.formats.shapes import fit_label
from ner.errors import InvalidInput

_NAME = re.compile(r"\w[\w .+-]{0,99}")


def check_name(name: str) -> None:
    """Raises InvalidInput unless the name can stand in an address: it is part of the API's paths."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"'{name}' cannot name a dataset: use up to 100 letters, digits, blanks, dots, dashes, a letter first."
        )


def grown_labels(present: Iterable[str], labels: Iterable[str]) -> list[str]:
    """The label set with the new labels behind those it has. Raises InvalidInput for what cannot be a label."""
    wanted = list(labels)
    for label in wanted:
        if not fit_label(label):
            raise InvalidInput(f"'{label}' cannot be a label: use 1 to 100 characters, no blanks around them.")
    return list(dict.fromkeys([*present, *wanted]))
