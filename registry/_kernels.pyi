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
def decode(
    sizes: tuple[int, int, int],
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
