"""What is known of a version lately, one row for each figure: measured by the worker, read by whoever shows it."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ner.database import lock_for_appending
from ner.tables import version_figures

F1_GOLD = "f1_gold"
F1_ESTIMATE = "f1_estimate"
VOCABULARY_OVERLAP = "vocabulary_overlap"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a version with its 95 % interval (None where there is none), and from how many documents it is."""

    version: str
    name: str
    value: float
    low: float | None
    high: float | None
    documents: int
    measured_at: dt.datetime


def put_figures(connection: Connection, figures: Iterable[Figure]) -> None:
    """Let each figure take the place of the one before it."""
    lock_for_appending(connection, "version figures")
    for figure in figures:
        connection.execute(version_figures.delete().where(_is(figure.version, figure.name)))
        connection.execute(version_figures.insert().values(**asdict(figure)))


def drop_figure(connection: Connection, version: str, name: str) -> None:
    """Forget a figure that cannot be measured any more."""
    connection.execute(version_figures.delete().where(_is(version, name)))


def list_figures(connection: Connection) -> list[Figure]:
    """Every figure of every version."""
    rows = connection.execute(sa.select(version_figures).order_by(version_figures.c.version, version_figures.c.name))
    return [Figure(**row) for row in rows.mappings()]


def _is(version: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(version_figures.c.version == version, version_figures.c.name == name)
