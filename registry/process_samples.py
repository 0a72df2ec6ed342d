"""What each process needs of its machine, minute by minute: processor, memory, disk, and loading of models."""

import datetime as dt
import os
import resource
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import utc_now
from ner.tables import process_samples

_PROC = Path("/proc")
_FIELDS = ("at", "process", "kind", "cpu_cores", "memory_bytes", "machine_bytes", "disk_share", "load_seconds")


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """One process over the minute that ends at `at`.

    `cpu_cores` is processor time over time that passed (2.0: two cores busy), `memory_bytes` what it holds in memory,
    of `machine_bytes`; `disk_share` the used part of the disk that NER_HOME is on, `load_seconds` by version how long
    loading it took. What cannot be read is None.
    """

    at: dt.datetime
    process: str
    kind: str
    cpu_cores: float
    memory_bytes: int | None
    machine_bytes: int | None
    disk_share: float | None
    load_seconds: Mapping[str, float]


@dataclass(slots=True)
class Sampler:
    """Samples the process that it runs in. `loads` tells how long each loaded version took, in seconds."""

    process: str
    kind: str
    home: Path
    loads: Callable[[], Mapping[str, float]] = dict
    _clock: float = field(default_factory=time.monotonic, init=False)
    _busy: float = field(default_factory=lambda: _busy_seconds(), init=False)

    def sample(self) -> ProcessSample:
        """The time since the last sample (at first: since this sampler was made)."""
        clock, busy = time.monotonic(), _busy_seconds()
        cores = (busy - self._busy) / max(clock - self._clock, 1e-3)
        self._clock, self._busy = clock, busy
        memory, machine = _memory()
        return ProcessSample(
            utc_now(), self.process, self.kind, cores, memory, machine, _disk_share(self.home), dict(self.loads())
        )


def write_sample(connection: Connection, sample: ProcessSample) -> None:
    """Keep a sample."""
    connection.execute(process_samples.insert().values(**{name: getattr(sample, name) for name in _FIELDS}))


def read_samples(connection: Connection, *, since: dt.datetime) -> list[ProcessSample]:
    """All samples since a moment, oldest first."""
    asked = sa.select(*(process_samples.c[name] for name in _FIELDS)).where(process_samples.c.at >= since)
    return [ProcessSample(*row) for row in connection.execute(asked.order_by(process_samples.c.at))]


def forget_samples(connection: Connection, *, before: dt.datetime) -> int:
    """Delete samples of before a moment; returns how many."""
    return connection.execute(process_samples.delete().where(process_samples.c.at < before)).rowcount


def _busy_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> tuple[int | None, int | None]:
    """Bytes that this process holds, and bytes that the machine has."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        held = int((_PROC / "self" / "statm").read_text().split()[1]) * page
        return held, os.sysconf("SC_PHYS_PAGES") * page
    except (OSError, ValueError, IndexError):
        return None, None


def _disk_share(home: Path) -> float | None:
    try:
        usage = shutil.disk_usage(home)
    except OSError:
        return None
    return usage.used / usage.total if usage.total else None
