"""Rows as a CSV answer."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response


def csv_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> Response:
    """Rows under a head line; `columns` (those of the first row unless given) say which, in which order."""
    names = list(columns) or (list(rows[0]) if rows else [])
    content = io.StringIO()
    writer = csv.DictWriter(content, names, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return Response(content.getvalue(), media_type="text/csv; charset=utf-8")
