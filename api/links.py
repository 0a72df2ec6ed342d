"""Addresses of this server, as the one who asks sees it."""

from urllib.parse import urlencode

from fastapi import Request


def address(request: Request, path: str, **parameters: str) -> str:
    """`path` on the origin that the request was sent to."""
    return f"{request.url.scheme}://{request.url.netloc}{path}?{urlencode(parameters)}"
