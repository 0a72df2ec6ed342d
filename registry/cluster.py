"""Many machines for one long piece of work, through Ray: the one file that knows it.

Work is a function that is found by its name on every machine, something large that all calls share, and items. A call
that was lost with its machine is made again by Ray, and results come back in the order of the items, each once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from ner.errors import InvalidInput, NerError

_AHEAD = 3
_MOST_RETRIES = 10

Item = TypeVar("Item")
Result = TypeVar("Result")
Shared = TypeVar("Shared")


class Cluster:
    """A Ray cluster; use it in a `with` block. `address` is that of a running one ("auto" finds it on this machine);
    empty starts one for this process alone. Raises InvalidInput where Ray is not installed or does not answer.
    """

    def __init__(self, address: str = "") -> None:
        try:
            import ray
        except ImportError as error:
            raise InvalidInput("The engine 'ray' needs the extra 'ray': install ner-workbench[ray].") from error
        self._ray: Any = ray
        try:
            ray.init(address=address or "local", log_to_driver=False, include_dashboard=False if not address else None)
        except ConnectionError as error:
            raise InvalidInput(f"No Ray cluster answers at '{address}': {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    @property
    def processors(self) -> int:
        """Of all machines together, as they are now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def map_in_order(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Each item with `function(shared, item)`, in order; memory holds a few items for each processor.

        Raises NerError where a call fails, or its machines were lost ten times over.
        """
        kept = self._ray.put(shared)
        remote = self._ray.remote(max_retries=_MOST_RETRIES)(function)
        running: deque[tuple[Item, Any]] = deque()
        for item in items:
            running.append((item, remote.remote(kept, item)))
            if len(running) >= _AHEAD * self.processors:
                first, future = running.popleft()
                yield first, self._result(future)
        for first, future in running:
            yield first, self._result(future)

    def _result(self, future: Any) -> Any:
        try:
            return self._ray.get(future)
        except self._ray.exceptions.RayError as error:
            raise NerError(f"The cluster could not do a part of the work: {error}") from error
