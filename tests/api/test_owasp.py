"""The ten of OWASP's API Security Top 10 (2023), tried on a service that listens: one test for each entry."""

import asyncio
import base64
import datetime as dt
import hmac
import json
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from api.callers import _AUDIENCE
from api.deprecation import deprecated
from api.roles import access_of, guarded_router, public
from ner.roles import ROLES, Role
from ner.settings import Settings, secret_key
from registry.keys import derived_key
from tests.api.rooms import Room
from tests.api.services import service
from tests.receiving import receiving

PREDICT = "/api/v1/ner/predict"
PASSWORD = "correct horse battery staple"
# What must stand in no answer, whoever asks.
_PRIVATE_FIELDS = {"secret_hash", "hash_of_key", "password", "sealed", "token_hash", "signing", "passphrase_hash"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    home: Path = tmp_path_factory.mktemp("owasp")
    with service(Settings(_env_file=None, home=home / "home", secret_key="a key for tests")) as room:  # type: ignore[call-arg]
        _bring_text(room)
        yield room


def _bring_text(room: Room) -> None:
    engineer = room.headers("engineer")
    content = "".join(json.dumps({"text": f"Ada left Oslo {number} times"}) + "\n" for number in range(5)).encode()
    room.client.post("/api/v1/datasets/news/import", content=content, headers=engineer).raise_for_status()
    labels = {"labels": ["per", "geo"]}
    room.client.post("/api/v1/datasets/news/labels", json=labels, headers=engineer).raise_for_status()


def _person(room: Room, role: Role) -> tuple[str, dict[str, str]]:
    """A name, and the headers of their session."""
    name, admin = f"{role} {uuid.uuid4().hex[:8]}", room.headers("admin")
    room.client.post("/api/v1/users", json={"name": name, "role": role}, headers=admin).raise_for_status()
    body = {"password": PASSWORD}
    room.client.put(f"/api/v1/users/{name}/password", json=body, headers=admin).raise_for_status()
    tokens = _sign_in(room, name)
    return name, {"Authorization": f"Bearer {tokens['access_token']}"}


def _sign_in(room: Room, name: str) -> dict[str, Any]:
    answer = room.client.post("/api/v1/token", json={"name": name, "password": PASSWORD})
    return dict(answer.raise_for_status().json())


def _status(room: Room, method: str, path: str, headers: dict[str, str], **sent: Any) -> int:
    return room.client.request(method, path, headers=headers, **sent).status_code


def _documents(room: Room) -> list[str]:
    answer = room.client.get("/api/v1/datasets/news/documents", headers=room.headers())
    return [one["id"] for one in answer.json()["documents"]]


def test_api1_broken_object_level_authorization_nobody_reaches_what_is_somebody_elses(running: Room) -> None:
    (ada, hers), (_, his) = _person(running, "annotator"), _person(running, "annotator")
    # Her password.
    assert _status(running, "PUT", f"/api/v1/users/{ada}/password", his, json={"password": "mine from now on"}) == 403
    assert running.client.post("/api/v1/token", json={"name": ada, "password": PASSWORD}).status_code == 200
    # Her keyboard.
    before = running.client.get("/api/v1/preferences/keys", headers=hers).json()
    running.client.put("/api/v1/preferences/keys", json={"keys": {"save": "z"}}, headers=his)
    assert running.client.get("/api/v1/preferences/keys", headers=hers).json() == before
    # Her task: his release of it leaves it hers, so that he is given another.
    mine = running.client.get("/api/v1/tasks/next?dataset=news", headers=hers).json()["document"]["id"]
    running.client.delete(f"/api/v1/tasks/{mine}/lease", headers=his)
    assert running.client.get("/api/v1/tasks/next?dataset=news", headers=his).json()["document"]["id"] != mine
    # What she wrote is hers by the session, whatever a body claims.
    body = {"base_revision": 0, "operation_id": uuid.uuid4().hex, "spans": [], "author": "somebody else"}
    assert _status(running, "POST", f"/api/v1/documents/{mine}/annotations", hers, json=body) == 422
    del body["author"]
    assert _status(running, "POST", f"/api/v1/documents/{mine}/annotations", hers, json=body) == 201
    revisions = running.client.get(f"/api/v1/documents/{mine}/revisions", headers=hers).json()["revisions"]
    assert {one["author"] for one in revisions} == {ada}
    # Ids that were never given out, and ids that are none.
    for wrong in (uuid.uuid4().hex, "1", "../keys", "%2e%2e%2fkeys", "' or 1=1 --"):
        assert _status(running, "GET", f"/api/v1/documents/{wrong}", hers) in {403, 404}


def _claims(name: str) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    times = {"iat": now, "exp": now + dt.timedelta(hours=1)}
    return {"sub": name, "kind": "user", "aud": _AUDIENCE, "iss": _AUDIENCE, **times}


def test_api2_broken_authentication_no_forged_expired_or_replayed_token_is_believed(running: Room) -> None:
    name, headers = _person(running, "admin")
    key, past = derived_key(secret_key(running.settings), "session"), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

    def who(token: str) -> int:
        return _status(running, "GET", "/api/v1/session", {"Authorization": f"Bearer {token}"})

    good = _claims(name)
    assert who(jwt.encode(good, key, algorithm="HS256")) == 200
    assert who(jwt.encode(good, None, algorithm="none")) == 401
    assert who(jwt.encode(good, b"x" * 32, algorithm="HS256")) == 401
    header = base64.urlsafe_b64encode(b'{"alg":"HS512","typ":"JWT"}').rstrip(b"=")
    signed = header + b"." + jwt.encode(good, key, algorithm="HS256").encode().split(b".")[1]
    stronger = base64.urlsafe_b64encode(hmac.digest(key, signed, "sha512")).rstrip(b"=")
    assert who((signed + b"." + stronger).decode()) == 401
    wrong = ({"aud": "another"}, {"iss": "another"}, {"exp": past}, {"sub": "nobody at all"}, {"kind": "key"})
    missing = ({"exp": None}, {"aud": None}, {"iss": None}, {"sub": None}, {"iat": None})
    for changes in (*wrong, *missing):
        claims = {name: value for name, value in (good | changes).items() if value is not None}
        assert who(jwt.encode(claims, key, algorithm="HS256")) == 401, changes
    head, body, mark = headers["Authorization"].removeprefix("Bearer ").split(".")
    assert who(f"{head}.{body}.") == who(f"{head}.{body}.{mark[:-4]}AAAA") == 401

    first = _sign_in(running, name)["refresh_token"]
    second = running.client.post("/api/v1/token/refresh", json={"refresh_token": first}).json()["refresh_token"]
    for token in (first, second):
        assert running.client.post("/api/v1/token/refresh", json={"refresh_token": token}).status_code == 401

    whole = running.key("admin")
    assert running.client.get(f"/api/v1/keys?api_key={whole}&token={whole}").status_code == 401
    for part in (whole[:-1], whole + "x", whole.swapcase(), whole[:12], ""):
        assert _status(running, "GET", "/api/v1/keys", {"X-API-Key": part}) == 401


def test_api3_broken_object_property_level_authorization_no_field_is_set_or_read_that_is_not_offered(
    running: Room,
) -> None:
    admin = running.headers("admin")
    document = running.client.get("/openapi.json").json()
    refused = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "application/json" not in operation.get("requestBody", {}).get("content", {}):
                continue
            address = path.replace("{", "").replace("}", "")
            body = {"role": "admin", "is_admin": True, "id": "1", "created_by": "mallory", "approved": True}
            answer = running.client.request(method, address, json=body, headers=admin)
            assert 400 <= answer.status_code < 500, (method, path)
            refused += answer.status_code == 422
    assert refused > 20
    # One field too many beside good ones is enough to be refused, and nothing is made of it.
    for path, good, extra in (
        ("/api/v1/users", {"name": "eve", "role": "viewer"}, {"disabled_at": None}),
        ("/api/v1/keys", {"name": "eve"}, {"created_by": "ada"}),
        (PREDICT, {"text": "John"}, {"version": "1.1.0"}),
    ):
        assert _status(running, "POST", path, admin, json=good | extra) == 422
    assert "eve" not in running.client.get("/api/v1/users", headers=admin).text
    for path in (path for path, methods in document["paths"].items() if "get" in methods and "{" not in path):
        assert not _PRIVATE_FIELDS & _fields(running.client.get(path, headers=admin)), path


def _fields(answer: Any) -> set[str]:
    try:
        waiting, found = [answer.json()], set()
    except ValueError:
        return set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found |= set(one)
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found


def test_api4_unrestricted_resource_consumption_every_request_has_a_limit(running: Room) -> None:
    headers = running.headers("engineer")
    settings = running.settings
    assert _status(running, "POST", PREDICT, headers, content=b" " * (17 * 2**20)) == 413
    assert _status(running, "POST", PREDICT, headers, json={"text": "x" * (settings.max_text_characters + 1)}) == 413
    many = {"texts": ["x"] * (settings.max_batch_texts + 1)}
    assert _status(running, "POST", "/api/v1/ner/batch", headers, json=many) == 422
    assert _status(running, "POST", PREDICT, headers, content=b"[" * 200_000) in {400, 422}
    unlimited = [
        f"{path}?{name}=1000000000"
        for path, methods in running.client.get("/openapi.json").json()["paths"].items()
        if "{" not in path and "get" in methods
        for name in (one["name"] for one in methods["get"].get("parameters", ()))
        if name in {"limit", "days", "hours", "count"}
    ]
    assert unlimited
    for path in unlimited:
        assert _status(running, "GET", path, headers) == 422, path
    # `a+a+a+...b`: a pattern that a careless engine never finishes.
    began = time.monotonic()
    params = {"pattern": "(a+)+$", "query": "(a+)+$", "regular": "true"}
    running.client.get("/api/v1/datasets/news/search", params=params, headers=headers)
    assert time.monotonic() - began < 30
    few = {"X-API-Key": running.key(limit=3)}
    answers = [running.client.post(PREDICT, json={"text": "John"}, headers=few) for _ in range(5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_api5_broken_function_level_authorization_no_way_of_writing_a_request_gets_round_the_roles(
    running: Room,
) -> None:
    viewer = running.headers("viewer")
    for route in running.app.routes:
        needed = access_of(route.endpoint)  # type: ignore[attr-defined]
        if needed == "public" or ROLES.index(needed) == 0:
            continue
        path = route.path.replace("{", "").replace("}", "")  # type: ignore[attr-defined]
        for method in route.methods:  # type: ignore[attr-defined]
            assert _status(running, method, path, viewer) == 403, (method, path)
            assert _status(running, method, path, {}) == 401, (method, path)
    overriding = {"X-HTTP-Method-Override": "POST", "X-Method-Override": "DELETE", "X-Original-URL": "/api/v1/keys"}
    assert _status(running, "GET", "/api/v1/versions", viewer | overriding) == 200
    for path in (
        "//api/v1/keys",
        "/api/v1/keys/",
        "/API/v1/keys",
        "/api/v1/./keys",
        "/api/v1/keys%00",
        "/api/v1;/keys",
    ):
        assert _status(running, "GET", path, viewer) in {400, 403, 404, 405, 422}, path
    for method in ("PATCH", "TRACE", "CONNECT", "PUT", "FOO"):
        assert _status(running, method, "/api/v1/keys", viewer) in {400, 403, 404, 405}, method
    # The browser's session does not write for a page of another site.
    cookie = {"Cookie": f"ner_session={_person(running, 'admin')[1]['Authorization'].removeprefix('Bearer ')}"}
    assert _status(running, "POST", "/api/v1/keys", cookie, json={"name": "eve"}) == 403


def test_api6_unrestricted_access_to_sensitive_business_flows_guessing_is_counted(running: Room) -> None:
    name, _ = _person(running, "annotator")

    def guess(number: int, headers: dict[str, str]) -> int:
        body = {"name": name, "password": f"guess {number}"}
        return _status(running, "POST", "/api/v1/token", headers, json=body)

    # One was spent by signing in.
    assert [guess(number, {}) for number in range(11)] == [401] * 9 + [429] * 2
    # From other addresses, as a proxy on this machine may claim them, a name is tried a hundred times, and no more.
    # Most of these are counted without the cost of checking a password.
    rates = running.app.state.wiring.rates
    for _ in range(85):
        assert not asyncio.run(rates.spend(f"sign-in name:{name}", 100)).is_spent
    elsewhere = [guess(number, {"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(7)]
    assert elsewhere == [401] * 5 + [429] * 2
    right = running.client.post("/api/v1/token", json={"name": name, "password": PASSWORD})
    assert (right.status_code, int(right.headers["Retry-After"]) > 0) == (429, True)

    body = {"passphrase": "open sesame", "hours": 1}
    link = running.client.post("/api/v1/demos", json=body, headers=running.headers("engineer")).json()
    token = parse_qs(urlsplit(link["url"]).query)["token"][0]
    assert _status(running, "POST", "/api/v1/demos/answer", {}, json={"token": token, "text": "John"}) == 401
    guesses = [
        _status(running, "POST", "/api/v1/demos/enter", {}, json={"token": token, "passphrase": f"guess {number}"})
        for number in range(32)
    ]
    assert guesses == [401] * 30 + [429] * 2
    running.client.delete(f"/api/v1/demos/{link['id']}", headers=running.headers("engineer")).raise_for_status()
    assert _status(running, "POST", "/api/v1/demos/enter", {}, json={"token": token}) == 401


INSIDE = (
    *(
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/",
        "https://127.0.0.1:8000/",
        "https://[::1]/",
    ),
    *("https://2852039166/", "https://0x7f000001/", "https://127.1/", "https://localhost/", "https://10.0.0.1/"),
    *("https://[::ffff:169.254.169.254]/", "https://[64:ff9b::a9fe:a9fe]/", "https://rebound.example/"),
    *("http://169.254.169.254/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_", "https://user@10.0.0.1/"),
)


def _save_endpoint(room: Room, url: str, name: str = "llm") -> Any:
    body = {"kind": "endpoint", "content": {"url": url, "model": "any"}}
    return room.client.put(f"/api/v1/datasets/news/sources/{name}", json=body, headers=room.headers("admin"))


def test_api7_server_side_request_forgery_no_address_leads_inside(
    running: Room, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def rebound(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve("169.254.169.254" if host == "rebound.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    for url in INSIDE:
        webhook = {"name": "hook", "url": url, "severities": ["critical"]}
        refused = running.client.post("/api/v1/webhooks", json=webhook, headers=running.headers("admin"))
        assert refused.status_code == 422, url
        assert _save_endpoint(running, url).status_code == 422, url
    assert running.client.get("/api/v1/webhooks", headers=running.headers("admin")).json()["webhooks"] == []
    assert "llm" not in running.client.get("/api/v1/datasets/news/sources", headers=running.headers()).text

    # Where private addresses may be: still none of the link, and no answer leads any further.
    allowed = {"webhook_private_addresses": True, "endpoint_private_addresses": True, "home": settings.home / "private"}
    with service(settings.model_copy(update=allowed)) as private, receiving() as first, receiving() as second:
        _bring_text(private)
        admin = private.headers("admin")
        webhook = {"name": "hook", "url": "http://rebound.example/", "severities": ["critical"]}
        assert _status(private, "POST", "/api/v1/webhooks", admin, json=webhook) == 422
        assert _save_endpoint(private, "http://rebound.example/v1").status_code == 422
        first.answers, first.location = [302, 307], second.url
        made = private.client.post("/api/v1/webhooks", json=webhook | {"url": first.url}, headers=admin).json()
        told = private.client.post(f"/api/v1/webhooks/{made['id']}/test", headers=admin).json()
        assert (told["status"], told["delivered_at"]) == (302, None)
        _save_endpoint(private, first.url).raise_for_status()
        path = f"/api/v1/documents/{_documents(private)[0]}/suggestions"
        assert _status(private, "POST", path, admin, json={"source": "llm"}) == 502
        assert (len(first.received), len(second.received)) == (2, 0)


def test_api8_security_misconfiguration_answers_say_no_more_than_they_must(running: Room) -> None:
    """TLS 1.3 alone is the gateway's: tests/deploy/test_production.py."""
    foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    key = running.headers()
    answers = [
        running.client.get("/api/v1/ner/health"),
        running.client.get("/api/v1/nowhere"),
        running.client.get("/api/v1/keys"),
        running.client.post(PREDICT, content=b"{", headers=key),
        running.client.post(PREDICT, json={"text": "John"}, headers=key | foreign),
        running.client.options(PREDICT, headers=foreign),
        running.client.get("/api/v1/documents/%ff%fe", headers=key),
    ]
    for answer in answers:
        headers = answer.headers
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
        assert (headers["X-Frame-Options"], headers["Referrer-Policy"]) == ("SAMEORIGIN", "no-referrer")
        assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(headers)
        said = answer.text.lower()
        for leak in ("traceback", ".py", "sqlalchemy", "sqlite", "select ", str(running.settings.home)):
            assert leak not in said, answer.request.url
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"kind", "message", "request_id", "details"}
    cookie = running.client.post("/api/v1/session", json={"key": running.key()}).headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_api9_improper_inventory_management_every_route_is_documented_and_old_ones_say_so(running: Room) -> None:
    router = guarded_router()

    @router.get("/api/v0/old")
    @public
    @deprecated(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2027, 1, 1, tzinfo=dt.UTC), "/api/v1/new")
    async def old() -> dict[str, bool]:
        return {"ok": True}

    kept = list(running.app.router.routes)
    running.app.router.routes.extend(router.routes)
    running.app.openapi_schema = None
    document = running.client.get("/openapi.json").json()
    assert document["paths"]["/api/v0/old"]["get"]["deprecated"] is True
    assert {"Deprecation", "Sunset", "Link"} <= {name.title() for name in running.client.get("/api/v0/old").headers}
    running.app.router.routes[:] = kept
    running.app.openapi_schema = None

    document = running.client.get("/openapi.json").json()
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    there = {(method, route.path) for route in kept for method in route.methods}  # type: ignore[attr-defined]
    # The documentation is not in itself.
    assert there - listed == {("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/docs/{name}")}
    assert listed <= there
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (method, path)
            assert "security" in operation, (method, path)
            assert path.split("/")[1] in {"v2", "metrics", "sign-in"} or path.startswith("/api/v1/"), path
    for path in (
        "/api/v0/ner/predict",
        "/api/v2/ner/predict",
        "/api/ner/predict",
        "/debug",
        "/admin",
        "/.env",
        "/.git/config",
    ):
        assert _status(running, "GET", path, running.headers("admin")) == 404, path


HOSTILE = {
    "deep": b"[" * 100_000,
    "deep inside": json.dumps({"choices": [{"message": {"content": "[" * 100_000}}]}).encode(),
    "large": b'{"choices": "' + b"x" * (3 * 2**20) + b'"}',
    "html": b"<script>alert(1)</script>",
    "numbers": b'{"choices": [{"message": {"content": 1e999}}], "usage": {"prompt_tokens": -1}}',
    "bytes": b"\xff\xfe\x00",
    "list": b"[]",
}


@pytest.mark.parametrize("sent", HOSTILE)
def test_api10_unsafe_consumption_of_apis_what_others_answer_is_not_believed(sent: str, settings: Settings) -> None:
    update = {"endpoint_private_addresses": True}
    with service(settings.model_copy(update=update)) as room, receiving() as receiver:
        _bring_text(room)
        receiver.content = HOSTILE[sent]
        receiver.answers = [200]
        _save_endpoint(room, receiver.url).raise_for_status()
        path = f"/api/v1/documents/{_documents(room)[0]}/suggestions"
        answer = room.client.post(path, json={"source": "llm"}, headers=room.headers("annotator"))
        assert answer.status_code == 502, answer.text
        assert "alert(1)" not in answer.text
        assert len(receiver.received) == 1
