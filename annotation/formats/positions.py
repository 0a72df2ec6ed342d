"""Characters that carry their position inside their word, as in the Weibo corpus: `科0 技1 全0 方1`."""

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_JUMPS = 0.01


@dataclass(slots=True)
class PositionDigits:
    """Whether the tokens seen so far are written that way. A few jumps in the count are forgiven."""

    tokens: int = 0
    jumps: int = 0
    misfits: int = 0

    def add(self, tokens: Sequence[str]) -> None:
        """Look at the tokens of one sentence."""
        self.tokens += len(tokens)
        if self.misfits:
            return
        position = -1
        for token in tokens:
            if not _ends_in_digit(token):
                self.misfits += 1
                return
            _, following = _split(token, position)
            self.jumps += following not in (0, position + 1)
            position = following

    @property
    def hold(self) -> bool:
        """Whether every token ends in a digit and the digits count the characters of words."""
        return self.tokens > 0 and not self.misfits and self.jumps <= self.tokens * _MOST_JUMPS


def without_positions(tokens: Sequence[str]) -> list[str]:
    """The characters alone. One trailing digit is taken off, or two from a word's eleventh character on."""
    position, characters = -1, []
    for token in tokens:
        character, position = _split(token, position)
        characters.append(character)
    return characters


def _ends_in_digit(token: str) -> bool:
    return len(token) > 1 and token[-1].isascii() and token[-1].isdecimal()


def _split(token: str, position: int) -> tuple[str, int]:
    running = str(position + 1)
    if token.endswith(running) and len(token) > len(running):
        return token[: -len(running)], position + 1
    return token[:-1], int(token[-1])
