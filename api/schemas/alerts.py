"""Alerts, where they come from, and who outside is told."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.shape import Shape

Severity = Literal["info", "warning", "critical"]


class AlertShape(BaseModel):
    id: str
    kind: str = Field(description="Such as shared_outage; a kind and a subject have one open alert at most.")
    severity: Severity
    subject: str = Field(description="A version, a process, or empty.")
    sentence: str
    opened_at: dt.datetime
    closed_at: dt.datetime | None = Field(description="Null while it lasts.")
    acknowledged_by: str | None
    acknowledged_at: dt.datetime | None


class AlertList(BaseModel):
    alerts: list[AlertShape]


class AlertmanagerAlert(BaseModel):
    """One alert as Alertmanager writes it; what it holds besides is of no use here."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}


class AlertmanagerNotice(BaseModel):
    """The body of Alertmanager's webhook, version 4."""

    alerts: list[AlertmanagerAlert] = Field(max_length=10_000)


class AlertmanagerTaken(BaseModel):
    opened: int
    closed: int


class WebhookRequest(Shape):
    name: str = Field(min_length=1, max_length=100)
    url: str = Field(min_length=1, max_length=2000, description="An https address on the public internet.")
    severities: list[Severity] = Field(["warning", "critical"], min_length=1, description="Of which alerts it is told.")


class WebhookCreated(BaseModel):
    id: str
    secret: str = Field(description="Signs every delivery; shown this one time only.")


class WebhookShape(BaseModel):
    id: str
    name: str
    url: str
    severities: list[Severity]
    created_at: dt.datetime
    created_by: str


class WebhookList(BaseModel):
    webhooks: list[WebhookShape]


class DeliveryShape(BaseModel):
    id: str = Field(description="The same at every attempt.")
    webhook_id: str
    event: str = Field(description="alert.opened, alert.closed, or test.")
    body: str = Field(description="What was signed and sent.")
    created_at: dt.datetime
    attempts: int
    next_attempt_at: dt.datetime | None = Field(description="Null once it was delivered or given up.")
    delivered_at: dt.datetime | None
    status: int | None = Field(description="What the receiver answered last.")
    problem: str | None


class DeliveryList(BaseModel):
    deliveries: list[DeliveryShape]
