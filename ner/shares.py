"""Shares of a count, with the interval that few observations leave."""

import math

_Z = 1.959963984540054


def wilson_interval(hits: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927). (0, 1) where nothing was observed."""
    if total == 0:
        return 0.0, 1.0
    share, square = hits / total, _Z**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    reach = _Z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    low = 0.0 if hits == 0 else centre - reach
    return low, 1.0 if hits == total else centre + reach
