"""What every table is made of: one metadata, and the types of columns that both kinds of database understand."""

import sqlalchemy as sa
from sqlalchemy import Integer
from sqlalchemy.dialects.postgresql import JSONB

from ner.database import UtcDateTime as UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
Id = sa.String(32)
BigId = sa.BigInteger().with_variant(Integer, "sqlite")
