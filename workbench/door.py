"""The embedded door: the API and the screens on one origin, in one process.

In production a gateway does this, and the API runs alone as often as needed.
"""

from typing import Any

from api.main import create_app
from api.shedding import shed
from ner.settings import Settings, load_settings
from workbench import launcher
from workbench.screens import create_screens, serve

_API_PATHS = ("/api", "/v2", "/docs", "/redoc", "/openapi.json", "/metrics", "/sign-in")


class Door:
    """An ASGI application that hands each request to the room its path names."""

    def __init__(self, settings: Settings) -> None:
        self.api = create_app(settings)
        self._screens = create_screens(launcher.address(settings), self.api.router.lifespan_context(self.api))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        to_api = scope["type"] in {"http", "websocket"} and is_api(scope["path"])
        await (self.api if to_api else self._screens)(scope, receive, send)


def is_api(path: str) -> bool:
    """Whether the API answers this path."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in _API_PATHS)


if __name__ == "__main__":
    chosen = load_settings()
    door = Door(chosen)
    # What asks a model is refused at the socket here too, while more waits than can be answered in time.
    serve(chosen, door, shed(door.api))
