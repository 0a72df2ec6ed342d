"""`python -m api`: one API process for production, behind a gateway."""

import gc
import sys


def main() -> None:
    """Serve until a signal says stop."""
    # What is imported makes very many objects and no garbage: looking for some would take a seventh of the start.
    gc.disable()
    import uvicorn

    from api.main import create_app
    from api.shedding import shed
    from ner.database import Database
    from ner.logs import configure_logs
    from ner.memory import keep_memory_low
    from ner.settings import load_settings
    from ner.waiting import wait_for_database

    gc.enable()
    keep_memory_low()
    # The log's thread would otherwise keep the interpreter from the answers for 5 ms at a time.
    sys.setswitchinterval(0.0005)
    settings = load_settings()
    configure_logs("api", settings.log_level)
    # A replica that knows no caller and no version would only refuse: what is in front goes on with the others.
    database = Database(settings.database)
    wait_for_database(database, "API")
    database.close()
    app = create_app(settings)
    uvicorn.run(
        app,
        http=shed(app),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
