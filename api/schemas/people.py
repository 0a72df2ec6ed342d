"""The audit trail, keys, people, demos and switches."""

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.answers import PredictResponse
from api.schemas.shape import LARGEST, Shape
from ner.roles import Role

Scope = Literal["predict", "text", "training", "versions", "rollout", "figures", "audit", "alerts", "people", "demos"]


class AuditEntry(BaseModel):
    entry: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    entries: list[AuditEntry]
    total: int


class AuditVerdict(BaseModel):
    ok: bool
    entries: int
    problem: str | None = None
    end: str = Field("", description="Number and hash of the last entry: note it elsewhere, and verify against it.")


class KeyRequest(Shape):
    name: str = Field(min_length=1, max_length=100)
    role: Role = "viewer"
    rate_limit_per_hour: int | None = Field(1000, ge=1, le=LARGEST, description="Null means no limit.")
    days: int | None = Field(None, ge=1, le=36_500, description="Days until the key expires; null means never.")
    scopes: list[Scope] | None = Field(None, description="What the key may do at most; null means all of its role.")


class KeyCreated(BaseModel):
    id: str
    key: str = Field(description="Shown this one time only.")


class KeyShape(BaseModel):
    id: str
    name: str
    prefix: str
    role: Role
    rate_limit_per_hour: int | None
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    scopes: list[str] | None = None


class KeyList(BaseModel):
    keys: list[KeyShape]


class UserRequest(Shape):
    name: str = Field(min_length=1, max_length=100)
    role: Role


class UserShape(BaseModel):
    id: str
    name: str
    role: Role
    created_at: dt.datetime
    disabled_at: dt.datetime | None


class UserList(BaseModel):
    users: list[UserShape]


class PersonData(BaseModel):
    tables: dict[str, list[dict[str, Any]]] = Field(description="Rows that name the person, by table, without secrets.")


class ErasurePreviewShape(BaseModel):
    deleted: dict[str, int] = Field(description="Rows that would go, by table.")
    renamed: dict[str, int] = Field(description="Rows that would have a pseudonym, by table.")
    audit_entries: int = Field(description="Entries of the audit trail that keep the name.")


class ErasedPersonShape(BaseModel):
    pseudonym: str = Field(description="What stands under their answers from now on.")
    deleted: dict[str, int] = Field(description="Rows that are gone, by table.")
    renamed: dict[str, int] = Field(description="Rows that have the pseudonym, by table.")


class SignInLink(BaseModel):
    url: str = Field(description="Works once.")
    expires_at: dt.datetime


class SessionShape(BaseModel):
    name: str
    role: Role
    kind: Literal["person", "key"] = Field(description="A person may set a password; a key may not.")


class SessionRequest(Shape):
    """A key, or a name with its password."""

    key: str | None = Field(None, max_length=200, description="An API key.")
    name: str | None = Field(None, max_length=100)
    password: str | None = Field(None, max_length=200)


class SignInWays(BaseModel):
    """Beside a link, a key and a password, which everybody may have."""

    provider: str | None = Field(description="What the OpenID Connect provider is called; null where there is none.")


class DemoRequest(Shape):
    version: str | None = Field(None, description="Empty means the stable version.")
    compared_with: str | None = None
    hours: float = Field(24, gt=0, le=24 * 90)
    passphrase: str | None = Field(None, max_length=200, description="Asked for besides the link; null asks for none.")
    frame_origins: list[str] = Field(
        [], max_length=20, description="Sites whose pages may embed it, with their scheme."
    )


class DemoCreated(BaseModel):
    id: str
    url: str
    expires_at: dt.datetime
    iframe: str | None = Field(description="What a page that may embed it holds; null where none may.")


class DemoToken(Shape):
    token: str = Field(max_length=200, description="From the demo's link; it is the permission.")


class DemoKnock(DemoToken):
    passphrase: str | None = Field(None, max_length=200)


class DemoFrame(BaseModel):
    frame_origins: list[str]


class DemoEntry(BaseModel):
    needs_passphrase: bool
    ticket: str | None = Field(None, description="To be sent with each question.")
    version: str | None = None
    compared_with: str | None = None
    expires_at: dt.datetime | None = None


class DemoShape(BaseModel):
    id: str
    version: str
    compared_with: str | None
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime
    revoked_at: dt.datetime | None
    visits: int = Field(description="How often the page was opened.")
    questions: int = Field(description="How many texts were asked about.")
    has_passphrase: bool
    frame_origins: list[str] = Field(description="Whose pages may embed it.")


class DemoList(BaseModel):
    demos: list[DemoShape]


class DemoQuestion(DemoToken):
    text: str
    ticket: str = Field("", max_length=200, description="From entering; a demo without a passphrase needs none.")


class DemoAnswer(BaseModel):
    version: str
    compared_with: str | None
    left: PredictResponse
    right: PredictResponse | None


class CaptureShape(Shape):
    enabled: bool = Field(description="Whether texts answered with low confidence are kept for correction.")
