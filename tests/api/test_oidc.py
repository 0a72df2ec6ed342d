"""Signing in by OpenID Connect, against a provider that really answers on a port."""

import datetime as dt
import hashlib
import json
import secrets
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ner.database import Database, utc_now
from ner.migrations import migrate
from ner.settings import Settings
from tests.api.rooms import Room, open_room

CLIENT = "the workbench"
SECRET = "a secret of two"
LEAVE, BACK = "/sign-in/provider", "/sign-in/provider/callback"
OIDC = "/api/v1/token/oidc"


class Provider:
    """Serves its description and its public key, and signs identities."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        provider = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                described = {
                    "issuer": provider.issuer,
                    "jwks_uri": f"{provider.issuer}/k",
                    "authorization_endpoint": f"{provider.issuer}/authorize?tenant=1",
                    "token_endpoint": f"{provider.issuer}/token",
                }
                pages: dict[str, Any] = {
                    "/.well-known/openid-configuration": described,
                    "/k": {"keys": [{**public, "kid": "1", "use": "sig", "alg": "ES256"}]},
                }
                self._answer(200, pages[self.path])

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                asked = provider.granted.pop(form["code"], None)
                digest = hashlib.sha256(form["code_verifier"].encode()).digest()
                is_right = (
                    asked is not None
                    and self.headers["Authorization"] == f"Basic {b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}"
                    and form["redirect_uri"] == asked["redirect_uri"]
                    and urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
                )
                if asked is None or not is_right:
                    self._answer(400, {"error": "invalid_grant"})
                    return
                self._answer(200, {"id_token": provider.identity(**{"nonce": asked["nonce"]} | provider.changes)})

            def _answer(self, status: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.granted: dict[str, dict[str, str]] = {}
        self.changes: dict[str, Any] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def identity(self, *, signer: Any = None, algorithm: str = "ES256", **changes: Any) -> str:
        now = utc_now()
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "42", "iat": now, "exp": now + dt.timedelta(minutes=5)}
        claims |= {"email": "Ada@Example.org", "email_verified": True} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, signer or self.key, algorithm=algorithm, headers={"kid": "1"})

    def grant(self, location: str) -> dict[str, str]:
        """A person signs in at `location` and agrees: what the browser is sent back with."""
        assert location.startswith(f"{self.issuer}/authorize?tenant=1&")
        asked = dict(parse_qsl(urlsplit(location).query))
        assert (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) == (CLIENT, "code", "S256")
        code = secrets.token_hex(8)
        self.granted[code] = asked
        return {"code": code, "state": asked["state"]}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def vouched(settings: Settings, tmp_path: Path, provider: Provider) -> Iterator[Room]:
    store = Database(f"sqlite:///{tmp_path / 'vouched.db'}")
    migrate(store)
    changes = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_role": "annotator"}
    changes |= {"oidc_client_secret": SECRET, "oidc_name": "Example Ltd"}
    room = open_room(settings.model_copy(update=changes), store)
    with room.client:
        yield room
    store.close()


def test_a_person_signs_in_with_an_identity_of_the_provider(vouched: Room, provider: Provider) -> None:
    for _ in range(2):
        tokens = vouched.client.post(OIDC, json={"id_token": provider.identity()}).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        who = vouched.client.get("/api/v1/session", headers=headers).json()
        assert who == {"name": "ada@example.org", "role": "annotator", "kind": "person"}


REFUSED: dict[str, dict[str, Any]] = {
    "it is for somebody else": {"aud": "another client"},
    "another provider gave it": {"iss": "https://evil.example"},
    "it has expired": {"exp": utc_now() - dt.timedelta(hours=1)},
    "it never expires": {"exp": None},
    "its e-mail address is not verified": {"email_verified": False},
    "it has no e-mail address": {"email": None},
    "somebody else signed it": {"signer": ec.generate_private_key(ec.SECP256R1())},
    "it is signed with a shared secret": {"signer": "x" * 32, "algorithm": "HS256"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_an_identity_is_refused_when(changes: dict[str, Any], vouched: Room, provider: Provider) -> None:
    answer = vouched.client.post(OIDC, json={"id_token": provider.identity(**changes)})

    assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "not_signed_in")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u00e9.\u00e9.\u00e9"])
def test_what_is_no_identity_is_refused(token: str, vouched: Room) -> None:
    assert vouched.client.post(OIDC, json={"id_token": token}).status_code == 401


def test_nobody_signs_in_by_a_provider_when_none_is_set_up(light_room: Room) -> None:
    answer = light_room.client.post(OIDC, json={"id_token": "a.b.c"})

    assert answer.status_code == 404
    assert "NER_OIDC_ISSUER" in answer.json()["error"]["message"]


def _location(room: Room) -> str:
    answer = room.client.get(LEAVE, follow_redirects=False)
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def test_a_browser_signs_in_at_the_provider_and_comes_back_signed_in(vouched: Room, provider: Provider) -> None:
    assert vouched.client.get("/api/v1/sign-in").json() == {"provider": "Example Ltd"}
    back = vouched.client.get(BACK, params=provider.grant(_location(vouched)), follow_redirects=False)
    assert (back.status_code, back.headers["Location"]) == (303, "/")
    assert vouched.client.get("/api/v1/session").json() == {
        "name": "ada@example.org",
        "role": "annotator",
        "kind": "person",
    }


def test_a_browser_that_comes_back_twice_is_refused(vouched: Room, provider: Provider) -> None:
    given = provider.grant(_location(vouched))
    assert vouched.client.get(BACK, params=given, follow_redirects=False).status_code == 303
    assert vouched.client.get(BACK, params=given, follow_redirects=False).status_code == 401


def test_a_code_of_another_browser_is_refused(vouched: Room, provider: Provider) -> None:
    """Signing somebody in under a stranger's name would make them work for the stranger."""
    of_a_stranger = provider.grant(_location(vouched))
    vouched.client.cookies.clear()
    assert vouched.client.get(BACK, params=of_a_stranger, follow_redirects=False).status_code == 401
    provider.grant(_location(vouched))
    assert vouched.client.get(BACK, params=of_a_stranger, follow_redirects=False).status_code == 401
    assert vouched.client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("changes", [{"nonce": "another"}, {"aud": "another client"}, {"email_verified": False}])
def test_a_browser_is_not_signed_in_with_an_identity_that_is_not_its_own(
    changes: dict[str, Any], vouched: Room, provider: Provider
) -> None:
    provider.changes = changes
    given = provider.grant(_location(vouched))
    assert vouched.client.get(BACK, params=given, follow_redirects=False).status_code == 401
    assert vouched.client.get("/api/v1/session").status_code == 401


def test_a_provider_that_says_no_is_a_sentence(vouched: Room) -> None:
    state = dict(parse_qsl(urlsplit(_location(vouched)).query))["state"]
    answer = vouched.client.get(BACK, params={"error": "access_denied", "state": state}, follow_redirects=False)
    assert answer.status_code == 401
    assert "did not let you in" in answer.json()["error"]["message"]


def test_no_browser_is_sent_to_a_provider_where_there_is_none(light_room: Room) -> None:
    assert light_room.client.get("/api/v1/sign-in").json() == {"provider": None}
    for path in (LEAVE, BACK):
        assert light_room.client.get(path, follow_redirects=False).status_code == 404
