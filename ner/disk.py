"""Room on the disk: what grows stops in time, so that what answers can go on."""

import shutil
import time
from pathlib import Path

from ner.errors import DiskFull

_KNOWN_SECONDS = 5.0


def check_room(folder: Path, reserve_megabytes: int, *, wanted_bytes: int = 0) -> None:
    """Raises DiskFull where less than the reserve would be left after `wanted_bytes` more."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free - wanted_bytes < reserve_megabytes * 10**6:
        raise DiskFull(
            f"The disk of {there} has {free / 1e6:,.0f} MB left and keeps {reserve_megabytes:,} MB for answering and "
            "logging (NER_DISK_RESERVE_MEGABYTES). Make room first: 'workbench tidy', or a larger disk."
        )


class RoomWatch:
    """Whether the reserve is touched, looked up every few seconds: for whoever asks at each request."""

    def __init__(self, folder: Path, reserve_megabytes: int) -> None:
        self._folder = folder
        self._reserve_megabytes = reserve_megabytes
        self._looked_at = -_KNOWN_SECONDS
        self._is_short = False

    def is_short(self) -> bool:
        """Whether less than the reserve is left."""
        now = time.monotonic()
        if now - self._looked_at >= _KNOWN_SECONDS:
            self._looked_at = now
            try:
                check_room(self._folder, self._reserve_megabytes)
                self._is_short = False
            except DiskFull:
                self._is_short = True
        return self._is_short
