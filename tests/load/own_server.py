"""An API process to be loaded, with a stable version and a key without a limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.contestants import ours
from tests.benchmarks.servers import Server, running
from tests.benchmarks.serving import Range


@contextmanager
def own_server(home: Path, scratch: Path) -> Iterator[tuple[Server, str]]:
    """The server and the key; where `home` has no stable version, one is trained first."""
    range_ = Range(home, scratch)
    with running(ours(home), scratch) as server:
        yield server, range_.key
