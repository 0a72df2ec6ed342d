"""Signing in by OpenID Connect, against a provider that really answers on a port."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ner.database import Database, utc_now
from ner.migrations import migrate
from ner.settings import Settings
from tests.api.rooms import Room, open_room

CLIENT = "the workbench"
OIDC = "/api/v1/token/oidc"


class Provider:
    """Serves its description and its public key, and signs identities."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        provider = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                described = {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/k"}
                pages: dict[str, Any] = {
                    "/.well-known/openid-configuration": described,
                    "/k": {"keys": [{**public, "kid": "1", "use": "sig", "alg": "ES256"}]},
                }
                body = json.dumps(pages[self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

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
    room = open_room(settings.model_copy(update=changes), store)
    with room.client:
        yield room
    store.close()


def test_a_person_signs_in_with_an_identity_of_the_provider(vouched: Room, provider: Provider) -> None:
    for _ in range(2):
        tokens = vouched.client.post(OIDC, json={"id_token": provider.identity()}).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        who = vouched.client.get("/api/v1/session", headers=headers).json()
        assert who == {"name": "ada@example.org", "role": "annotator"}


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
