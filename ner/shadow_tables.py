"""The tables of a canary that answers in the shadow: what it would have said, and what labels say about it."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table, Text

from ner.columns import BigId, Id, Json, UtcDateTime, metadata

# Kinds of differences between two answers to one text (ner/scoring.py), each a column of counts.
KINDS = ("match", "label", "border", "both", "missing", "spurious")

shadow_answers = Table(
    "shadow_answers",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("request_id", Text, nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("stable", Text, nullable=False),
    Column("canary", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # agree, disagree, failed
    *(Column(kind, Integer, nullable=False) for kind in KINDS),
    Column("stable_lowest", Float),  # lowest confidence; null without entities
    Column("canary_lowest", Float),
    Column("expected", Json, nullable=False),  # right, found, gold by the versions' own probabilities: stable, canary
    Column("place", BigInteger, nullable=False),  # a uniform draw from 0 to 2^63: the order of labelling in a stratum
    Column("is_sampled", Boolean, nullable=False),  # its text was kept for labelling, whatever it says
    Index(None, "stable", "canary", "outcome", "is_sampled", "place"),
)
# The same by hour, so that nobody has to count answers.
shadow_hours = Table(
    "shadow_hours",
    metadata,
    Column("stable", Text, primary_key=True),
    Column("canary", Text, primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    *(Column(outcome, Integer, nullable=False) for outcome in ("agree", "disagree", "failed")),
    *(Column(kind, Integer, nullable=False) for kind in KINDS),
)
# What both versions get right on a labelled document. No foreign key: the counts outlive a text that is erased.
paired_labels = Table(
    "paired_labels",
    metadata,
    Column("document_id", Id, primary_key=True),
    Column("stable", Text, primary_key=True),
    Column("canary", Text, primary_key=True),
    Column("revision", Integer, nullable=False),  # of the gold that was compared with
    Column("stratum", Text, nullable=False),  # agree, disagree: of shadow traffic; all: of the test part
    Column("counts", Json, nullable=False),  # right, found, gold: stable, canary
    Column("weight", Float, nullable=False),  # documents that this one stood for when it was judged last
    Column("judged_at", UtcDateTime, nullable=False),
    Index(None, "stable", "canary"),
)
