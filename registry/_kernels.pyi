from typing import Any

def emit(
    sizes: tuple[int, int, int, int, int, int],
    gates: Any,
    places: Any,
    turned: Any,
    starts: Any,
    recurrent: Any,
    kernel: Any,
    bias: Any,
    emissions: Any,
    /,
) -> None: ...
def enter(
    counts: tuple[int, int, int],
    tables: tuple[int, int, int, int, int, int],
    gates_of: tuple[int, int, int],
    rows: Any,
    words: Any,
    pieces: Any,
    taps: Any,
    lift: Any,
    kernel: Any,
    bias: Any,
    gates: Any,
    /,
) -> None: ...
def decode(
    sizes: Any,
    emissions: Any,
    lengths: Any,
    best: tuple[Any, Any, Any],
    probable: tuple[Any, Any, Any],
    inside: Any,
    cooling: float,
    spans: Any,
    shares: Any,
    starts: Any,
    /,
) -> int: ...
def tag(
    sizes: tuple[int, int, int, int, int, int, int],
    gates: Any,
    places: Any,
    lengths: Any,
    weights: tuple[Any, Any, Any],
    best: tuple[Any, Any, Any],
    probable: tuple[Any, Any, Any],
    inside: Any,
    cooling: float,
    spans: Any,
    shares: Any,
    starts: Any,
    /,
) -> int: ...
def choose(name: str | None = None, /) -> str: ...
