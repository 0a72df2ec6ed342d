"""What a person has chosen for themselves: which keys do what in the editor."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import utc_now
from ner.desk_tables import preferences
from ner.errors import InvalidInput

KEYS = "editor keys"
_RESERVED = frozenset("1234567890")
_MOST_KEYS, _MOST_ACTIONS = 4, 100
Bindings = dict[str, list[str]]


def keys_of(connection: Connection, person: str) -> Bindings:
    """The keys of each action that the person has bound; empty where they never did."""
    here = (preferences.c.person == person, preferences.c.name == KEYS)
    return dict(connection.scalar(sa.select(preferences.c.value).where(*here)) or {})


def bind_keys(connection: Connection, person: str, bindings: Mapping[str, Sequence[str]]) -> Bindings:
    """Bind every action's keys; an empty mapping returns to the keys that the editor comes with.

    Raises InvalidInput where two actions would share a key, or a key is a digit alone, which labels have.
    """
    checked = check_bindings(bindings)
    here = (preferences.c.person == person, preferences.c.name == KEYS)
    connection.execute(preferences.delete().where(*here))
    if checked:
        facts = {"person": person, "name": KEYS, "value": checked, "changed_at": utc_now()}
        connection.execute(preferences.insert().values(**facts))
    return checked


def check_bindings(bindings: Mapping[str, Sequence[str]]) -> Bindings:
    """The bindings as they are stored. Raises InvalidInput with a sentence that names the key and both actions."""
    if len(bindings) > _MOST_ACTIONS:
        raise InvalidInput(f"There are at most {_MOST_ACTIONS} actions.")
    holder: dict[str, str] = {}
    for action, keys in bindings.items():
        if not 1 <= len(keys) <= _MOST_KEYS:
            raise InvalidInput(f"'{action[:40]}' needs 1 to {_MOST_KEYS} keys.")
        for key in keys:
            if not 1 <= len(key) <= 40:
                raise InvalidInput(f"A key of '{action[:40]}' has no name, or one that is too long.")
            if key in _RESERVED:
                raise InvalidInput(f"The key {key} labels; '{action[:40]}' needs another one.")
            if holder.setdefault(key, action) != action:
                raise InvalidInput(f"The key {key} cannot be both '{holder[key]}' and '{action[:40]}'.")
    return {action: list(dict.fromkeys(keys)) for action, keys in bindings.items()}
