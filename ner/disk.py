"""Room on the disk: what grows stops in time, so that what answers can go on."""

import shutil
from pathlib import Path

from ner.errors import DiskFull


def check_room(folder: Path, reserve_megabytes: int, *, wanted_bytes: int = 0) -> None:
    """Raises DiskFull where less than the reserve would be left after `wanted_bytes` more."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free - wanted_bytes < reserve_megabytes * 10**6:
        raise DiskFull(
            f"The disk of {there} has {free / 1e6:,.0f} MB left and keeps {reserve_megabytes:,} MB for answering and "
            "logging (NER_DISK_RESERVE_MEGABYTES). Make room first: 'workbench tidy', or a larger disk."
        )
