"""`workbench report`: quality, verdict, drift and traffic as one HTML file."""

from pathlib import Path
from typing import Any

import click

from ner.errors import InvalidInput
from workbench.commands.output import json_option, show
from workbench.commands.server import Server


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--version", help="The version to look at in depth: the stable one unless named.")
@click.option("--hours", type=click.FloatRange(0.1, 24 * 366), default=24.0, show_default=True, help="Of traffic.")
@json_option
def report(target: Path, version: str | None, hours: float, as_json: bool) -> None:
    """Write FILE (.html): quality, the canary's verdict, drift and traffic, with intervals and each figure as CSV.

    One file that opens anywhere, without a network, light and dark.
    """
    from workbench.report import make_report

    if target.suffix.lower() not in (".html", ".htm"):
        raise InvalidInput(f"The report is a web page: name it {target.with_suffix('.html')}.")
    content = make_report(Server().client(), version=version, hours=hours)
    target.write_text(content, encoding="utf-8")
    show({"file": str(target), "bytes": len(content.encode())}, as_json, _describe)


def _describe(result: dict[str, Any]) -> str:
    return f"{result['file']} ({result['bytes'] / 1e6:.1f} MB): open it in any browser."
