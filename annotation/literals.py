"""What a text must hold so that a regular expression can match in it: found in the expression, before any text is read.

An index of letters answers "which texts hold these words"; this room turns an expression into such words. It may ask
for too little, and then more texts are read than need be; it never asks for too much. After Russ Cox, "Regular
Expression Matching with a Trigram Index" (2012), with literals where that has sets of trigrams.
"""

import re
import warnings
from collections.abc import Iterable, Iterator
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Clause = tuple[str, ...]
"""Words of which a text must hold one, in any case of its letters."""

SHORTEST = 3

# Where `regex` reads more than `re` does: fuzzy counts `{e<=1}`, and classes such as `[:alpha:]`.
_READ_OTHERWISE = re.compile(r"\{(?!\d+(,\d*)?\}|,\d+\})|\[:")
# Small and capital forms differ by language or by place in the word.
_UNSTEADY = frozenset("Σσςİ")
# ſ, the Kelvin sign and the Turkish i are forms of these, and not every database knows.
_HAVE_FOREIGN_FORMS = frozenset("iIkKsS")
_TAKE_NO_ROOM = (ops.AT, ops.ASSERT, ops.ASSERT_NOT)
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)


def required_by(source: str) -> list[Clause]:
    """The clauses that a text must fulfil, each of them, to match the expression. None where nothing is certain."""
    if _READ_OTHERWISE.search(source):
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # `re` warns where a set may be read in two ways
            parsed = parser.parse(source)
    except (re.error, Warning, RecursionError, OverflowError):
        return []
    return list(dict.fromkeys(_clauses(parsed, parsed.state.flags)))


def _clauses(nodes: Iterable[Any], flags: int) -> Iterator[Clause]:
    run = ""
    for operation, argument, inner_flags in _flat(nodes, flags):
        if operation is ops.LITERAL and _is_steady(chr(argument), inner_flags):
            run += chr(argument)
        elif operation not in _TAKE_NO_ROOM:
            yield from _whole(run)
            run = ""
            yield from _inside(operation, argument, inner_flags)
    yield from _whole(run)


def _flat(nodes: Iterable[Any], flags: int) -> Iterator[tuple[Any, Any, int]]:
    """The nodes with the flags that hold for them; a group's stand in its place."""
    for operation, argument in nodes:
        if operation is ops.SUBPATTERN:
            _, added, removed, inner = argument
            yield from _flat(inner, (flags | added) & ~removed)
        elif operation is ops.ATOMIC_GROUP:
            yield from _flat(argument, flags)
        else:
            yield operation, argument, flags


def _inside(operation: Any, argument: Any, flags: int) -> Iterator[Clause]:
    if operation in _REPEATS and argument[0] > 0:
        yield from _clauses(argument[2], flags)
    elif operation is ops.BRANCH:
        best = [max(_clauses(branch, flags), key=_worth, default=()) for branch in argument[1]]
        if all(best):
            yield tuple(dict.fromkeys(word for clause in best for word in clause))


def _whole(run: str) -> Iterator[Clause]:
    if len(run) >= SHORTEST:
        yield (run,)


def _worth(clause: Clause) -> int:
    return min(map(len, clause))


def _is_steady(character: str, flags: int) -> bool:
    """Whether every form in which the expression takes the character is one to a database that ignores case."""
    if character in _UNSTEADY:
        return False
    if not flags & re.IGNORECASE:
        return True
    if character.isascii():
        return character not in _HAVE_FOREIGN_FORMS
    return character.lower() == character.upper()
