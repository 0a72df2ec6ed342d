"""How the C library gives memory back: few pools, trimmed early.

glibc keeps a pool for nearly every thread, and each keeps what its dearest moment needed. A process in which many
threads now and then make a report would hold the sum of all of these for good.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _ARENA_MAX, _MMAP_THRESHOLD = -1, -8, -3
_POOLS = 2
_BYTES = 1 << 20


def keep_memory_low() -> bool:
    """Hold few pools and give back what is free above 1 MB; False where this C library cannot be told so.

    Call it once, before threads are started.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    asked = ((_ARENA_MAX, _POOLS), (_TRIM_THRESHOLD, _BYTES), (_MMAP_THRESHOLD, _BYTES))
    return all(library.mallopt(name, value) == 1 for name, value in asked)
