"""What every body shares."""

from pydantic import BaseModel, ConfigDict

Confidence = float
LARGEST = 2**31 - 1
"""The largest whole number that every database keeps in a plain column."""


class Shape(BaseModel):
    """A body that refuses fields it does not know, so that a typing mistake is not silently ignored."""

    model_config = ConfigDict(extra="forbid")
