"""Signing in with an identity that an OpenID Connect provider vouches for.

Whoever talked to the provider (the workbench, or a program) hands in its ID token; what comes back is this API's own
pair of tokens. The person is found by their verified e-mail address, and added where there is none.
"""

import asyncio
import functools

import httpx
import jwt

from api.bodies import refusals
from api.roles import Wired, guarded_router, public
from api.schemas.tokens import IdTokenRequest, Tokens
from api.tokens import open_tokens
from api.wiring import Wiring
from ner.errors import NotFound, NotSignedIn
from registry.keys import create_user, find_user

# Signatures by a public key only: with any other, whoever can check a token can make one.
_ALGORITHMS = ("RS256", "ES256", "EdDSA")
_LEEWAY_SECONDS = 30
_TIMEOUT_SECONDS = 5

router = guarded_router(prefix="/api/v1", tags=["people"])


@router.post("/token/oidc", response_model=Tokens, responses=refusals(401, 404, 422))
@public
async def sign_in(body: IdTokenRequest, wiring: Wired) -> Tokens:
    """Tokens for the person whom the provider's ID token names."""
    return await asyncio.to_thread(_sign_in, wiring, body.id_token)


def _sign_in(wiring: Wiring, id_token: str) -> Tokens:
    if not wiring.settings.oidc_issuer:
        raise NotFound("Signing in with OpenID Connect is not set up here: NER_OIDC_ISSUER is empty.")
    name = _verified_name(wiring, id_token)
    with wiring.database.transaction() as connection:
        user = find_user(connection, name)
        if user is None:
            user = create_user(connection, name, wiring.settings.oidc_role, actor=name)
        if user.disabled_at is not None:
            raise NotSignedIn(f"'{name}' may not sign in any more.")
    wiring.callers.forget()
    return open_tokens(wiring, "user", name)


def _verified_name(wiring: Wiring, id_token: str) -> str:
    """The e-mail address that the provider has verified. Raises NotSignedIn."""
    try:
        claims = jwt.decode(
            id_token,
            _keys_of(wiring.settings.oidc_issuer).get_signing_key_from_jwt(id_token).key,
            algorithms=list(_ALGORITHMS),
            audience=wiring.settings.oidc_client_id,
            issuer=wiring.settings.oidc_issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
    except (jwt.PyJWTError, httpx.HTTPError, ValueError, KeyError) as error:
        raise NotSignedIn("This identity cannot be verified; sign in with the provider again.") from error
    email = claims.get("email")
    if not isinstance(email, str) or not email or claims.get("email_verified") is not True:
        raise NotSignedIn("The provider has not verified an e-mail address of this identity.")
    return email.lower()


@functools.lru_cache(maxsize=4)
def _keys_of(issuer: str) -> jwt.PyJWKClient:
    """The provider's public keys, fetched when one is met that is not known."""
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    described = httpx.get(address, timeout=_TIMEOUT_SECONDS).raise_for_status().json()
    if described["issuer"] != issuer:
        raise ValueError(f"{address} speaks for another issuer")
    return jwt.PyJWKClient(described["jwks_uri"], timeout=_TIMEOUT_SECONDS)
