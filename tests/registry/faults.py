"""A database that fails at a chosen moment: between any two writes, or at any statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import sqlalchemy as sa

from ner.database import Database

Fault = Literal["killed", "database error", "commit fails"]
_WRITES = ("INSERT", "UPDATE", "DELETE")


class Killed(Exception):
    """The process is gone."""


class Faults:
    """Lets one statement on a database fail. "killed": the process ends before a write; "database error": the server
    goes away before any statement; "commit fails": all was written, and nothing is kept.
    """

    def __init__(self, database: Database) -> None:
        self._fault: Fault | None = None
        self._left = 0
        sa.event.listen(database.engine, "before_cursor_execute", self._before)
        sa.event.listen(database.engine, "commit", self._commit)

    @contextmanager
    def at(self, fault: Fault | None, left: int) -> Iterator[None]:
        """Let the fault happen after `left` more statements of its kind; leaves without an error."""
        self._fault, self._left = fault, left
        try:
            yield
        except (Killed, sa.exc.OperationalError):
            assert fault is not None
        finally:
            self._fault = None

    def _before(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if self._fault == "killed" and statement.lstrip().upper().startswith(_WRITES):
            self._count(Killed())
        if self._fault == "database error":
            self._count(sa.exc.OperationalError(statement, None, Exception("server closed the connection")))

    def _commit(self, connection: sa.Connection) -> None:
        if self._fault == "commit fails" and connection.get_execution_options().get("ner_writes"):
            self._count(sa.exc.OperationalError("COMMIT", None, Exception("server closed the connection")))

    def _count(self, error: Exception) -> None:
        self._left -= 1
        if self._left < 0:
            self._fault = None
            raise error
