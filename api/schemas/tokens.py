"""Signing in as a program: access and refresh tokens, and passwords."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.shape import Shape


class TokenRequest(Shape):
    """A key, or a name with its password."""

    key: str | None = Field(None, max_length=1000)
    name: str | None = Field(None, max_length=100)
    password: str | None = Field(None, max_length=200)


class RefreshRequest(Shape):
    refresh_token: str = Field(max_length=1000)


class IdTokenRequest(Shape):
    id_token: str = Field(max_length=20_000, description="As the OpenID Connect provider gave it.")


class Tokens(BaseModel):
    access_token: str = Field(description="A JWT, sent as 'Authorization: Bearer ...'.")
    refresh_token: str = Field(description="Works once; the answer to it holds the next one.")
    token_type: Literal["bearer"] = "bearer"
    expires_in: int = Field(description="Seconds until the access token ends.")


class PasswordRequest(Shape):
    password: str = Field(max_length=1000)
