"""An API that really listens: rooms over sockets, for what only shows from outside."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from api.main import create_app
from api.shedding import shed
from ner.database import Database
from ner.migrations import migrate
from ner.settings import Settings
from tests.api.rooms import Room, load_dictionary


@contextmanager
def service(settings: Settings, *, has_version: bool = False) -> Iterator[Room]:
    """A room whose client speaks HTTP over a loopback port; version 1.0.0 is stable, made here unless it is there."""
    database = Database(settings.database)
    migrate(database)
    app = create_app(settings, tagger_loader=load_dictionary, understudy="tests.api.understudy")
    listening = socket.create_server(("127.0.0.1", 0))
    # As `python -m api` starts it.
    config = uvicorn.Config(
        app,
        http=shed(app),
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            room = Room(settings, database, app, client)  # type: ignore[arg-type]
            _wait(client)
            if not has_version:
                room.stable()
            yield room
    finally:
        server.should_exit = True
        thread.join()
        database.close()


def _wait(client: httpx.Client) -> None:
    while client.get("/v2/health/live").status_code != 200:
        pass
