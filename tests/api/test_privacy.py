"""Ten thousand identifiers go through the API, and none of them is anywhere afterwards."""

import asyncio
import logging
import random
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from ner import tables
from ner.database import Database
from ner.logs import _EcsFormatter
from ner.migrations import migrate
from ner.predictions import Tagged
from ner.settings import Settings
from tests.api.rooms import BREAKS, open_room
from tests.identifiers import cards, emails, ibans, ip_addresses, phones

BATCH = "/api/v1/ner/batch"
KINDS = (emails, cards, ibans, ip_addresses, phones)
_DATABASE = 14


class QuotingTagger:
    """The worst that a model can do: it fails with the text in its message, and logs it."""

    labels = ("per",)
    confidence_kind = "none"

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        logging.getLogger("a model").warning("cannot analyse %s", texts)
        raise RuntimeError(f"cannot analyse {texts}")


@pytest.mark.redis
async def test_ten_thousand_identifiers_leave_no_trace(
    settings: Settings, tmp_path: Path, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    seed = random.Random(7)
    planted = list(chain.from_iterable(kind(seed, 2_000) for kind in KINDS))
    own = redis_url.rpartition("/")[0] + f"/{_DATABASE}"
    client = redis.Redis.from_url(own)
    client.flushdb()
    store = Database(f"sqlite:///{tmp_path / 'private.db'}")
    migrate(store)
    room = open_room(settings.model_copy(update={"redis_url": own}), store)
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with room.client:
        room.stable()
        room.canary("1.1.0", 50)
        room.app.state.wiring.serving.lineup.canary.tagger.tag = QuotingTagger().tag
        headers = room.headers()
        for first in range(0, len(planted), 200):
            texts = [f"John wrote to {one}" for one in planted[first : first + 200]]
            assert room.client.post(BATCH, json={"texts": texts}, headers=headers).status_code == 200
            refused = {"texts": texts, texts[0][13:]: texts[1]}
            said.append(room.client.post(BATCH, json=refused, headers=headers).text)
            said.append(room.client.post(BATCH, content=str(texts).encode(), headers=headers).text)
            said.append(room.client.post(BATCH, json={"texts": {"a": texts[2]}}, headers=headers).text)
        said.append(room.client.get("/metrics").text)
        said.append(room.client.get("/api/v1/ner/metrics").text)
        room.logged()
        await asyncio.to_thread(room.client.portal.call, room.app.state.wiring.cache.close)  # type: ignore[union-attr]
        with store.reading() as connection:
            said.append(str(connection.execute(sa.select(tables.predictions)).all()))
    said += [str([name, client.get(name)]) for name in client.scan_iter()]
    formatter = _EcsFormatter("api")
    said += [formatter.format(record) for record in caplog.records if record.name.partition(".")[0] != "asyncio"]
    client.flushdb()
    store.close()

    everything = "\n".join(said)
    assert "cannot analyse" in everything
    assert "ner:answer:" in everything
    assert [one for one in planted if one in everything] == []
    assert BREAKS not in everything
