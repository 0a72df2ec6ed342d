"""Who may embed a demo's page: the sites that its link names, and nobody else."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from workbench.api_client import ApiClient, ApiError, RetryPolicy

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class DemoFrames:
    """Adds the headers of a demo's page. `path` is where the demos stand."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], api_url: Any, path: str) -> None:
        self._app = app
        limit = 5.0 if isinstance(api_url, str) else None
        self._client = ApiClient(api_url, timeout_seconds=limit, retry=RetryPolicy(attempts=2))
        self._paths = {path, f"{path}/"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the page through with its headers, and everything else as it is."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        origins = await asyncio.to_thread(self._origins, scope)
        policy = " ".join(["frame-ancestors 'self'", *origins])
        headers = [
            (b"content-security-policy", policy.encode("ascii")),
            # The address holds the token: neither a link that is followed from here nor a search engine shall know it.
            (b"referrer-policy", b"no-referrer"),
            (b"x-robots-tag", b"noindex"),
            (b"cache-control", b"no-store"),
        ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in headers}
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in ours]
                message["headers"] = [*kept, *headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _origins(self, scope: Scope) -> list[str]:
        token = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if not token:
            return []
        try:
            return [str(origin) for origin in self._client.demo_frame(token)]
        except ApiError:
            return []
