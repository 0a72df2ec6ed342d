"""The versions that this process holds in memory, and how it follows the rollout.

The state is one frozen object that is replaced as a whole: a request takes it once and is answered by it, whatever is
switched meanwhile. New versions are loaded beside the old ones; `previous` stays warm to go back to.
"""

import dataclasses
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from api.measures import Measures
from ner import tables
from ner.database import Database, utc_now
from ner.errors import NerError, NoServingVersion, NotFound
from ner.predictions import Tagger, Variant
from registry.packages import PackageStore
from registry.rollout import Rollout, current_rollout
from registry.shadow import shadow_percent
from registry.versions import get_version

TaggerLoader = Callable[[Path], Tagger]

_VARIANTS: tuple[Variant, ...] = ("stable", "canary", "previous")
CAPTURE = "capture"
_ON_DEMAND = 4
_TRY_AGAIN_SECONDS = 10.0
_DOWN_AFTER_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A version in memory."""

    version: str
    digest: str
    tagger: Tagger


@dataclass(frozen=True, slots=True)
class Lineup:
    """Who answers now. A version that the rollout names and that could not be loaded is None."""

    rollout: Rollout
    stable: Served | None = None
    canary: Served | None = None
    previous: Served | None = None
    captures: bool = False
    shadow_percent: float = 0.0

    def alerts(self) -> list[str]:
        """A sentence for each version that the rollout names and that is not there."""
        return [
            f"Version {name} is {variant} and could not be loaded."
            for variant, name in _named(self.rollout).items()
            if name is not None and getattr(self, variant) is None
        ]

    def nobody_answers(self) -> str:
        """Why nobody does, as a sentence for callers."""
        stable = self.rollout.stable
        if stable is None:
            return "No version answers yet; train one and promote it, then ask again."
        return f"Version {stable} is stable, but could not be loaded; 'workbench doctor' and the server's log say why."

    def candidates(self, chosen: Variant) -> list[tuple[Variant, Served]]:
        """Who may answer where `chosen` should, best first: nobody but the chosen one meets the canary."""
        held: list[tuple[Variant, Served | None]] = [("stable", self.stable), ("previous", self.previous)]
        if chosen == "canary":
            held.insert(0, ("canary", self.canary))
        return [(variant, served) for variant, served in held if served is not None]


class Serving:
    """Loads what the rollout names and keeps `lineup` true, in a thread of its own."""

    def __init__(
        self, database: Database, store: PackageStore, load: TaggerLoader, measures: Measures, poll_seconds: float
    ) -> None:
        self.lineup = Lineup(Rollout(0, None, None, None, 0.0, "", "none", "", "system", utc_now()))
        self._database = database
        self._store = store
        self._load = load
        self._measures = measures
        self._poll_seconds = poll_seconds
        self._refreshing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: dict[str, float] = {}
        self._on_demand: OrderedDict[str, Served] = OrderedDict()
        self._loading = threading.Lock()
        self._seen_at = float("-inf")

    @property
    def database_is_up(self) -> bool:
        """Whether the database answered lately."""
        return time.monotonic() - self._seen_at < _DOWN_AFTER_SECONDS

    def start(self) -> None:
        """Load what the rollout names, then follow it."""
        self._refresh_or_log()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._follow, name="rollout-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def refresh(self) -> None:
        """Bring `lineup` up to date now; called after a change made through this process."""
        with self._refreshing:
            with self._database.reading() as connection:
                rollout = current_rollout(connection)
                captures, shadowed = is_capturing(connection), shadow_percent(connection)
            self._seen_at = time.monotonic()
            if rollout.epoch != self.lineup.rollout.epoch or self._has_to_load(rollout):
                self._switch(rollout)
            if (captures, shadowed) != (self.lineup.captures, self.lineup.shadow_percent):
                self.lineup = dataclasses.replace(self.lineup, captures=captures, shadow_percent=shadowed)

    def version(self, version: str) -> Served:
        """Any registered version, loaded when first asked for. Waits for the loading: not for the event loop.

        Raises NotFound, or BrokenPackage.
        """
        for variant in _VARIANTS:
            held: Served | None = getattr(self.lineup, variant)
            if held is not None and held.version == version:
                return held
        with self._loading:
            if version not in self._on_demand:
                self._on_demand[version] = self._loaded(version)
                if len(self._on_demand) > _ON_DEMAND:
                    self._on_demand.popitem(last=False)
            self._on_demand.move_to_end(version)
            return self._on_demand[version]

    def held(self) -> list[Served]:
        """Every version in memory that somebody may ask."""
        lineup = self.lineup
        aliased = [served for served in (lineup.stable, lineup.canary, lineup.previous) if served is not None]
        return [*aliased, *list(self._on_demand.values())]

    def by_alias(self, alias: Variant) -> Served:
        """The version that holds an alias now. Raises NotFound, or NoServingVersion where it could not be loaded.

        `stable` is what everybody relies on: that none is stable yet is no mistake of the caller's.
        """
        lineup = self.lineup
        served: Served | None = getattr(lineup, alias)
        if served is None and alias != "stable" and _named(lineup.rollout)[alias] is None:
            raise NotFound(f"No version is {alias} now; choose one by its number.")
        if served is None:
            name = _named(lineup.rollout)[alias]
            is_broken = f"Version {name} is {alias}, but could not be loaded; choose one by its number."
            raise NoServingVersion(is_broken if name else lineup.nobody_answers())
        return served

    def _follow(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            self._refresh_or_log()

    def _refresh_or_log(self) -> None:
        try:
            self.refresh()
        except sa.exc.SQLAlchemyError as error:
            _LOG.error("The rollout cannot be read (%s); the versions in memory go on.", type(error).__name__)

    def _has_to_load(self, rollout: Rollout) -> bool:
        missing = [name for name in _named(rollout).values() if name is not None and not self._holds(name)]
        return any(self._may_try(name) for name in missing)

    def _holds(self, version: str) -> bool:
        held = (self.lineup.stable, self.lineup.canary, self.lineup.previous)
        return any(served is not None and served.version == version for served in held)

    def _may_try(self, version: str) -> bool:
        return time.monotonic() - self._failed.get(version, float("-inf")) > _TRY_AGAIN_SECONDS

    def _switch(self, rollout: Rollout) -> None:
        loaded = {variant: self._loaded_or_none(name) for variant, name in _named(rollout).items()}
        self.lineup = Lineup(
            rollout,
            loaded["stable"],
            loaded["canary"],
            loaded["previous"],
            self.lineup.captures,
            self.lineup.shadow_percent,
        )
        self._measures.canary_share.set(rollout.percent / 100)
        _LOG.info(
            "Rollout %d: stable %s, canary %s at %g %%, previous %s.",
            *(rollout.epoch, rollout.stable, rollout.canary, rollout.percent, rollout.previous),
        )

    def _loaded_or_none(self, version: str | None) -> Served | None:
        if version is None:
            return None
        if not self._holds(version) and not self._may_try(version):
            return None
        try:
            served = self.version(version)
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:
            # A package can break in ways of its backend's making; whatever it is, another version answers.
            self._failed[version] = time.monotonic()
            self._measures.load_failures.labels(version).inc()
            reason = error.message if isinstance(error, NerError) else repr(error)
            _LOG.error("Version %s cannot be loaded; answers are degraded: %s", version, reason)
            return None
        self._failed.pop(version, None)
        return served

    def _loaded(self, version: str) -> Served:
        with self._database.reading() as connection:
            record = get_version(connection, version)
        started = time.perf_counter()
        folder = self._store.folder(version, record.package_hash)
        tagger = self._load(folder)
        # The first call is the slowest; callers should not meet it.
        tagger.tag(["Ada Lovelace lived in London."])
        self._measures.load_seconds.labels(version).set(time.perf_counter() - started)
        return Served(version, record.package_hash, tagger)


def _named(rollout: Rollout) -> dict[Variant, str | None]:
    return {"stable": rollout.stable, "canary": rollout.canary, "previous": rollout.previous}


def is_capturing(connection: sa.Connection) -> bool:
    """Whether texts that were answered with low confidence are to be kept."""
    value = connection.scalar(sa.select(tables.switches.c.value).where(tables.switches.c.name == CAPTURE))
    return bool(value and value.get("enabled"))
