"""The parts of one API app, made once at the door and handed to whoever needs them."""

import asyncio
import gc
import logging
import os
import socket
import sys
import threading
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotation.capture import keep_text
from api.answering import Answering
from api.cache import AnswerCache
from api.callers import Callers
from api.gauges import Gauges
from api.label_counts import LabelCounts
from api.measures import Measures
from api.rates import Rates
from api.records import Records
from api.redis_link import RedisLink
from api.reporting import Reporter
from api.serving import Serving, TaggerLoader
from api.shadow import Shadow
from dashboards.trial import trial
from ner.database import Database
from ner.disk import RoomWatch
from ner.errors import InvalidSetting
from ner.settings import Settings, secret_keys
from registry.keys import derived_key
from registry.log_spool import Spool
from registry.packages import PackageStore, open_store
from registry.prediction_log import CapturedText, PredictionLog, Upkeep
from registry.process_samples import Sampler
from registry.sampling import RowSampler
from registry.sealing import Seals
from registry.tallies import Counters
from registry.understudy import MODULE

PACKAGES = "versions"
SPOOL = "spool"
_LOG = logging.getLogger(__name__)
_SWITCH_SECONDS = 0.0005
_GARBAGE = (20_000, 20, 100)


@dataclass(frozen=True, slots=True)
class Wiring:
    """Every part of an app. `owns_database` says whether closing the app closes the database."""

    settings: Settings
    secret: bytes
    seals: Seals
    database: Database
    owns_database: bool
    measures: Measures
    gauges: Gauges
    link: RedisLink | None
    packages: PackageStore
    serving: Serving
    cache: AnswerCache
    answering: Answering
    callers: Callers
    rates: Rates
    log: PredictionLog
    records: Records
    reporter: Reporter
    shadow: Shadow
    label_counts: LabelCounts
    counters: Counters = field(default_factory=dict)

    async def start(self) -> None:
        """Load the versions that answer, and begin to follow the rollout and to write the log."""
        # The threads that write and follow shall not keep the event loop waiting for five milliseconds at a time.
        sys.setswitchinterval(_SWITCH_SECONDS)
        await asyncio.to_thread(self.serving.start)
        self.log.start()
        self.gauges.start()
        self.reporter.start()
        self.shadow.start()
        threading.Thread(target=self._count_trial, name="first-count", daemon=True).start()
        # What is there now stays: collecting garbage need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)

    def _count_trial(self) -> None:
        """Count what the canary has been asked so far, so that nobody has to wait for it who looks first."""
        if self.serving.lineup.rollout.canary is None:
            return
        try:
            with self.database.reading() as connection:
                trial(connection, counters=self.counters)
        except sa.exc.SQLAlchemyError:
            _LOG.warning("The canary's requests could not be counted yet; the first look at them will.")

    async def stop(self) -> None:
        """Stop what `start` began; what waits to be logged is written first."""
        await asyncio.to_thread(self.gauges.stop)
        await asyncio.to_thread(self.reporter.stop)
        await asyncio.to_thread(self.serving.stop)
        await asyncio.to_thread(self.answering.close)
        await asyncio.to_thread(self.shadow.stop)
        await asyncio.to_thread(self.log.stop)
        await asyncio.to_thread(self.callers.close)
        await self.cache.close()
        if self.link is not None:
            await self.link.close()
        if self.owns_database:
            self.database.close()


def wire(settings: Settings, database: Database | None, load_tagger: TaggerLoader, understudy: str = MODULE) -> Wiring:
    """Make every part. Nothing runs before `start`. `understudy` names the module that is a version in a process."""
    store = database or Database(settings.database)
    secrets = secret_keys(settings)
    secret, seals = secrets[0], Seals(*secrets)
    measures = Measures()
    link = RedisLink(settings.redis_url) if settings.redis_url else None
    packages = open_store(settings)
    serving = Serving(store, packages, load_tagger, measures, settings.poll_seconds)
    gauges = Gauges(store, serving, settings.home, settings.gauge_seconds)
    measures.registry.register(gauges)
    cache = AnswerCache(derived_key(secret, "answer cache"), settings.cache_entries, link)

    def keep(connection: Connection, text: CapturedText) -> None:
        try:
            keep_text(connection, seals, text)
        except InvalidSetting as error:
            _LOG.error("A text was not kept: %s", error)

    spool_keys = [derived_key(one, "prediction spool") for one in secrets]
    spool = Spool(settings.home / SPOOL, spool_keys, settings.spool_megabytes * 2**20)
    sampler = Sampler(f"{socket.gethostname()}:{os.getpid()}", "api", settings.home, measures.loads)
    upkeep = Upkeep(settings.log_days, settings.rollup_days, sampler)
    log = PredictionLog(store, keep, spool=spool, upkeep=upkeep)
    label_counts = LabelCounts(serving, store)
    return Wiring(
        settings=settings,
        secret=secret,
        seals=seals,
        database=store,
        owns_database=database is None,
        measures=measures,
        gauges=gauges,
        link=link,
        packages=packages,
        serving=serving,
        cache=cache,
        answering=Answering(serving, cache, measures, settings.serving_threads, settings.longest_wait_ms / 1000),
        callers=Callers(store, secrets, settings.sign_in_hours),
        rates=Rates(link),
        log=log,
        records=Records(
            log,
            measures,
            serving,
            settings.low_confidence,
            settings.capture_sample,
            RowSampler(settings.log_rows_per_second),
            RoomWatch(settings.home, settings.disk_reserve_megabytes),
        ),
        reporter=Reporter(store, serving, log),
        shadow=Shadow(serving, packages, store, log.put, measures, label_counts, module=understudy),
        label_counts=label_counts,
    )
