"""What every command prints: one JSON object with --json, else lines for people."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def show(result: dict[str, Any], as_json: bool, describe: Callable[[dict[str, Any]], str]) -> None:
    """Print the result, as JSON or as `describe` words it."""
    click.echo(json.dumps(result, ensure_ascii=False, default=str) if as_json else describe(result))


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Left-aligned columns, as wide as their longest cell."""
    cells = [[str(cell) if cell is not None else "-" for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def percent(value: float | None) -> str:
    """0.8312 as "83.1 %"."""
    return "-" if value is None else f"{100 * value:.1f} %"
