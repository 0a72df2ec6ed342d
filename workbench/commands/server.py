"""Calls to the running server, with the caller's key or the local administrator's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from ner.errors import NerError, NotSignedIn
from ner.settings import Settings, load_settings
from workbench.api_client import ApiClient


class ServerRefused(NerError):
    """The server answered with an error; the message is its sentence."""

    kind = "refused"


class ServerAway(NerError):
    """Nothing answers at NER_URL."""

    kind = "away"


class Server:
    """The API at `settings.url`. Every method raises ServerRefused or ServerAway with a sentence."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._http = httpx.Client(
            base_url=_address(self.settings),
            headers={"X-API-Key": _key(self.settings)},
            timeout=httpx.Timeout(600, connect=5),
        )

    def client(self) -> ApiClient:
        """The same server, by the operations that it has."""
        caller: Any = self._http
        return ApiClient(caller)

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """GET and return the JSON object."""
        return self._json("GET", path, params=parameters)

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST a JSON object and return the answer's."""
        return self._json("POST", path, json=body or {})

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PUT a JSON object and return the answer's."""
        return self._json("PUT", path, json=body)

    def delete(self, path: str) -> None:
        """DELETE what is at the path."""
        self._json("DELETE", path)

    @contextmanager
    def stream(self, method: str, path: str, **arguments: Any) -> Iterator[httpx.Response]:
        """An answer that is read as it comes."""
        try:
            with self._http.stream(method, path, **arguments) as answer:
                if answer.is_error:
                    answer.read()
                    _raise(answer)
                yield answer
        except httpx.TransportError as error:
            raise self._away(error) from None

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise self._away(error) from None
        if answer.is_error:
            _raise(answer)
        return dict(answer.json()) if answer.content else {}

    def _away(self, error: httpx.TransportError) -> ServerAway:
        return ServerAway(
            f"No server answers at {self._http.base_url} ({error}). Start one with 'make up', or set NER_URL."
        )


def _raise(answer: httpx.Response) -> None:
    try:
        fact = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise ServerRefused(f"The server answered {answer.status_code}.") from None
    raise ServerRefused(fact["message"], **fact.get("details", {}))


def _address(settings: Settings) -> str:
    """NER_URL; where only NER_HOST or NER_PORT was set, the server they describe."""
    if "url" in settings.model_fields_set:
        return settings.url
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host
    return f"http://{host}:{settings.port}"


def _key(settings: Settings) -> str:
    path = admin_key_path(settings)
    if settings.api_key:
        return settings.api_key
    if path.exists():
        return path.read_text().strip()
    raise NotSignedIn(f"Set NER_API_KEY to a key, or run this where NER_HOME holds the server's state ({path} is not).")


def admin_key_path(settings: Settings) -> Path:
    """Where the local administrator's key is kept."""
    return settings.home / "admin.key"
