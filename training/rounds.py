"""Work that comes round again and again beside the runs: each kind in a thread of its own, none holding up another."""

import logging
import threading
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from ner.errors import NerError

_PATIENCE_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Round:
    """`work`, done at once and then `seconds` after it was done. What goes wrong is logged and tried again."""

    def __init__(self, name: str, seconds: float, work: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let it end after what it does now."""
        self._stopping.set()

    def wait(self) -> None:
        """Until it has ended, but not for long: what it does is whole or nothing."""
        self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        while True:
            try:
                self._work()
            except (sa.exc.SQLAlchemyError, NerError, OSError) as error:
                _log.error("%s failed and is tried again: %s", self._name, error)
            if self._stopping.wait(self._seconds):
                return


def stop(rounds: Sequence[Round]) -> None:
    """End all of them."""
    for one in rounds:
        one.ask_to_stop()
    for one in rounds:
        one.wait()
