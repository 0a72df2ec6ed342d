"""Requests that nobody should send: random bytes, deep JSON, huge numbers, half surrogates, control characters."""

import json
import string
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

_PATHS = (
    *(("POST", "/api/v1/ner/predict"), ("POST", "/api/v1/ner/batch"), ("POST", "/v2/models/ner/infer")) * 6,
    *(("POST", "/api/v1/compare"), ("POST", "/api/v1/versions/1.0.0/predict"), ("POST", "/api/v1/demos/answer")),
    *(("POST", "/api/v1/rollout/canary"), ("POST", "/api/v1/rollout/promote"), ("POST", "/api/v1/runs")),
    *(("POST", "/api/v1/session"), ("POST", "/api/v1/token"), ("POST", "/api/v1/token/refresh")),
    *(("POST", "/api/v1/documents/x/annotations"), ("POST", "/api/v1/datasets/x/labels"), ("POST", "/api/v1/users")),
    *(("PUT", "/api/v1/capture"), ("PUT", "/api/v1/users/x/password"), ("DELETE", "/api/v1/keys/x")),
    *(("GET", "/api/v1/datasets/{}/documents"), ("GET", "/api/v1/documents/{}"), ("GET", "/api/v1/versions/{}")),
    *(("GET", "/api/v1/drift?hours={}"), ("GET", "/api/v1/audit?limit={}&offset={}"), ("GET", "/sign-in?token={}")),
    *(("GET", "/api/v1/ner/health"), ("PATCH", "/api/v1/ner/predict"), ("GET", "/{}"), ("POST", "/api/v1/{}")),
)
_FIELDS = ("text", "texts", "document_key", "name", "key", "inputs", "percent", "version", "role", "spans", "enabled")
_NASTY = (
    *("", " ", "\0", "\u202e\u200b\ufeff", "a\u0301" * 50, "\ud800", "𝒥" * 9, "\x7f\x1b[31m", "NaN", "null", "-0"),
    *("' OR 1=1 --", "../../etc/passwd", "{{7*7}}", "%s%n", "<script>", "١٢٣", "John" * 2_000, "\r\nX: y", "🏳️‍🌈"),
)


@dataclass(frozen=True)
class Shot:
    """One request."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def shots(random: Random, count: int) -> Iterator[Shot]:
    """`count` requests, each of another kind than the last."""
    for _ in range(count):
        method, path = random.choice(_PATHS)
        while "{}" in path:
            path = path.replace("{}", _address_part(random), 1)
        headers = {} if random.random() < 0.1 else {"Content-Type": random.choice(_TYPES)}
        yield Shot(method, path, random.choice(_BODIES)(random), headers)


def _address_part(random: Random) -> str:
    return "".join(f"%{random.randrange(256):02X}" for _ in range(random.randrange(1, 12)))


_TYPES = ("application/json",) * 8 + ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x")


def _noise(random: Random) -> bytes:
    return random.randbytes(random.choice((0, 1, 7, 100, 5_000)))


def _deep(random: Random) -> bytes:
    depth = random.choice((10, 500, 20_000))
    return random.choice((b"[" * depth, b'{"text":' * depth, b"[" * depth + b"]" * depth, b'{"a":[' * depth))


def _cut(random: Random) -> bytes:
    whole = _object(random)
    return whole[: random.randrange(len(whole) + 1)]


def _flipped(random: Random) -> bytes:
    whole = bytearray(_object(random))
    for _ in range(random.randrange(1, 5)):
        whole[random.randrange(len(whole))] = random.randrange(256)
    return bytes(whole)


def _object(random: Random) -> bytes:
    fields = {random.choice(_FIELDS): _value(random, 3) for _ in range(random.randrange(1, 4))}
    return json.dumps(fields, ensure_ascii=random.random() < 0.8).encode("utf-8", "surrogatepass")


def _good(random: Random) -> bytes:
    text = "".join(random.choices(string.printable, k=random.randrange(1, 200))) + " John"
    return json.dumps(random.choice(({"text": text}, {"texts": [text, random.choice(_NASTY), 5]}))).encode()


def _value(random: Random, depth: int) -> Any:
    simple = (None, True, 0, -1, 10**400, 1e308, float("nan"), float("inf"), 2**63, random.choice(_NASTY))
    if depth and random.random() < 0.4:
        inner = [_value(random, depth - 1) for _ in range(random.randrange(4))]
        return random.choice((inner, {random.choice(_NASTY): one for one in inner}))
    return random.choice((*simple, random.choice(_NASTY), random.choice(_NASTY)))


_BODIES = (_noise, _deep, _cut, _flipped, _object, _object, _good, _good)
