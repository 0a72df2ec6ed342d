"""`workbench simulate`: what a policy would have done, as a table and a picture. It needs no server."""

from pathlib import Path
from typing import Any

import click

from ner.errors import InvalidInput
from workbench.commands.output import json_option, percent, show, table

_WIDTH = 30
_share = click.FloatRange(0, 1)


@click.command()
@click.argument("policy", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--error-rate", type=_share, default=0.0, show_default=True, help="Of the canary.")
@click.option("--latency", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Its p95, in ms.")
@click.option("--f1-drop", type=click.FloatRange(-1, 1), default=0.0, show_default=True, help="Two points are 0.02.")
@click.option("--labelled", type=click.IntRange(0), default=500, show_default=True, help="Sentences that measure F1.")
@click.option("--memory", type=_share, default=0.5, show_default=True, help="Share of memory in use.")
@click.option("--stable-error-rate", type=_share, default=0.0, show_default=True, help="Of the stable version.")
@click.option("--rate", type=click.FloatRange(min=0), default=10.0, show_default=True, help="Requests a second in all.")
@click.option("--runs", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture to this .html file.")
@json_option
def simulate(policy: Path | None, picture: Path | None, runs: int, as_json: bool, **truth: Any) -> None:
    """What POLICY (the default one unless given) would do with such a canary, RUNS times. Needs no server."""
    from registry.policy import load_policy
    from registry.simulation import simulate as simulate_policy

    if picture is not None and picture.suffix != ".html":
        raise InvalidInput(f"The picture is a web page: name it {picture.with_suffix('.html')}.")
    names = {"latency": "latency_p95_ms", "labelled": "labelled_documents", "memory": "memory_share"}
    told = {names.get(name, name): value for name, value in truth.items()}
    result = simulate_policy(load_policy(policy), runs=runs, **told)
    if picture is not None:
        from dashboards.figures import simulation_steps

        simulation_steps(result).write_html(picture, include_plotlyjs=True)
        click.echo(f"The picture is {picture}.", err=True)
    show(result, as_json, _describe)


def _describe(result: dict[str, Any]) -> str:
    runs, median, hours = result["runs"], result["median_requests_to_verdict"], result["median_hours_to_outcome"]
    rows = [
        (name.replace("_", " "), f"{result[name]:,}", percent(result[name] / runs), _bar(result[name] / runs))
        for name in ("promoted", "rolled_back", "undecided")
    ]
    steps = [
        (
            f"{step['percent']:g} %",
            *(f"{step[name]:,}" for name in ("entered", "rolled_back", "held", "undecided")),
            "-" if step["median_hours"] is None else f"{step['median_hours']:g} h",
        )
        for step in result["steps"]
    ]
    why = ", ".join(f"{name} {count:,}" for name, count in result["reasons"].items()) or "none"
    return "\n".join(
        (
            table(("outcome", "canaries", "share", ""), rows),
            "",
            table(("step", "entered", "rolled back", "held", "no answer", "median stay"), steps),
            "",
            f"Median verdict: {'none' if median is None else f'{median:,.0f} canary requests'}; "
            f"median time to the end: {'none' if hours is None else f'{hours:g} h'}; what stopped them: {why}.",
        )
    )


def _bar(share: float) -> str:
    return "█" * max(round(share * _WIDTH), 1 if share > 0 else 0)
