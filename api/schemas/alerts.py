"""Alerts."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field


class AlertShape(BaseModel):
    id: str
    kind: str = Field(description="Such as shared_outage; a kind and a subject have one open alert at most.")
    severity: Literal["info", "warning", "critical"]
    subject: str = Field(description="A version, a process, or empty.")
    sentence: str
    opened_at: dt.datetime
    closed_at: dt.datetime | None = Field(description="Null while it lasts.")
    acknowledged_by: str | None
    acknowledged_at: dt.datetime | None


class AlertList(BaseModel):
    alerts: list[AlertShape]
