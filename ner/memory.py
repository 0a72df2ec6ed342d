"""How the C library gives memory back: few pools, trimmed early and by the clock.

glibc keeps a pool for nearly every thread, and each keeps what its dearest moment needed: one small piece that lives
on at a pool's end holds all that is free below it. A process in which many threads now and then make a report would
hold the sum of all of these for good.
"""

import ctypes
import sys
import threading
from functools import cache

_TRIM_THRESHOLD, _ARENA_MAX, _MMAP_THRESHOLD = -1, -8, -3
_POOLS = 2
_BYTES = 1 << 20
_SECONDS_BETWEEN = 60.0


@cache
def _library() -> ctypes.CDLL | None:
    """The C library, where it can be told how to hold memory."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def keep_memory_low() -> bool:
    """Hold few pools, and give back once a minute what is free; False where this C library cannot be told so.

    Call it once, before threads are started.
    """
    library = _library()
    if library is None:
        return False
    asked = ((_ARENA_MAX, _POOLS), (_TRIM_THRESHOLD, _BYTES), (_MMAP_THRESHOLD, _BYTES))
    kept = all(library.mallopt(name, value) == 1 for name, value in asked)
    threading.Thread(target=_give_back_for_good, name="memory", daemon=True).start()
    return kept


def give_memory_back() -> None:
    """Hand every free page to the system, also those in the middle of a pool (about 5 ms)."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)


def _give_back_for_good() -> None:
    waiting = threading.Event()
    while not waiting.wait(_SECONDS_BETWEEN):
        give_memory_back()
