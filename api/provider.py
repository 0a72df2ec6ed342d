"""An OpenID Connect provider, as far as its people sign in here: where it is, its keys, and whom it vouches for.

OpenID Connect Core 1.0, sections 3.1.2 to 3.1.3; PKCE: RFC 7636.
"""

import base64
import functools
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt

from ner.errors import NotSignedIn
from ner.settings import Settings

# Signatures by a public key only: with any other, whoever can check a token can make one.
_ALGORITHMS = ("RS256", "ES256", "EdDSA")
_LEEWAY_SECONDS = 30
_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Errand:
    """What one browser goes to the provider with, and what must come back with it."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


def way_to(settings: Settings, errand: Errand) -> str:
    """The address at the provider to which a browser is sent. Raises NotSignedIn where the provider is silent."""
    digest = hashlib.sha256(errand.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": settings.oidc_client_id,
        "redirect_uri": errand.redirect_uri,
        "scope": "openid email",
        "state": errand.state,
        "nonce": errand.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    endpoint = str(_asked(settings.oidc_issuer)["authorization_endpoint"])
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def redeem(settings: Settings, errand: Errand, code: str) -> str:
    """The verified e-mail address of the person for whom the provider gave `code`. Raises NotSignedIn."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": errand.redirect_uri,
        "client_id": settings.oidc_client_id,
        "code_verifier": errand.verifier,
    }
    secret = settings.oidc_client_secret
    try:
        answer = httpx.post(
            str(_asked(settings.oidc_issuer)["token_endpoint"]),
            data=form,
            auth=(settings.oidc_client_id, secret) if secret else None,
            timeout=_TIMEOUT_SECONDS,
        )
        id_token = answer.raise_for_status().json()["id_token"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise NotSignedIn("The provider did not say who you are; start the sign-in again.") from error
    return verified_name(settings, str(id_token), nonce=errand.nonce)


def verified_name(settings: Settings, id_token: str, *, nonce: str | None = None) -> str:
    """The e-mail address that the provider has verified, in lower case. Raises NotSignedIn."""
    try:
        claims = jwt.decode(
            id_token,
            _keys_of(settings.oidc_issuer).get_signing_key_from_jwt(id_token).key,
            algorithms=list(_ALGORITHMS),
            audience=settings.oidc_client_id,
            issuer=settings.oidc_issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
    except (jwt.PyJWTError, httpx.HTTPError, ValueError, KeyError) as error:
        raise NotSignedIn("This identity cannot be verified; sign in with the provider again.") from error
    if nonce is not None and claims.get("nonce") != nonce:
        raise NotSignedIn("This identity belongs to another sign-in; start again.")
    email = claims.get("email")
    if not isinstance(email, str) or not email or claims.get("email_verified") is not True:
        raise NotSignedIn("The provider has not verified an e-mail address of this identity.")
    return email.lower()


def _asked(issuer: str) -> dict[str, Any]:
    try:
        return _described(issuer)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise NotSignedIn("The provider does not answer as it should; try again, or sign in another way.") from error


@functools.lru_cache(maxsize=4)
def _described(issuer: str) -> dict[str, Any]:
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    described = dict(httpx.get(address, timeout=_TIMEOUT_SECONDS).raise_for_status().json())
    if described["issuer"] != issuer:
        raise ValueError(f"{address} speaks for another issuer")
    return described


@functools.lru_cache(maxsize=4)
def _keys_of(issuer: str) -> jwt.PyJWKClient:
    """The provider's public keys, fetched when one is met that is not known."""
    return jwt.PyJWKClient(_described(issuer)["jwks_uri"], timeout=_TIMEOUT_SECONDS)
