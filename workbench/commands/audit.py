"""`workbench audit`: who did what, and whether the trail is whole."""

import click

from ner.errors import NerError
from workbench.commands.output import json_option, show, table
from workbench.commands.server import Server


@click.group()
def audit() -> None:
    """Read and check the audit trail."""


@audit.command("verify")
@click.option("--noted", metavar="NUMBER:HASH", help="The end that an earlier check printed.")
@json_option
@click.pass_context
def verify(context: click.Context, noted: str | None, as_json: bool) -> None:
    """Check every entry's seal. Exit code 1 when one does not hold.

    A trail whose last entries were cut off holds in itself. Note the end that is printed where nobody who changes the
    database can reach it, and give it with --noted the next time: then a cut and a rewritten trail show too.
    """
    verdict = Server().get("/api/v1/audit/verify", **({"noted": noted} if noted else {}))
    if noted and "end" not in verdict:
        raise NerError("The server is older than --noted and did not look at it; bring it up to date first.")
    show(
        verdict,
        as_json,
        lambda it: (
            f"All {it['entries']:,} entries hold. Their end: {it.get('end') or 'not told by this older server'}"
            if it["ok"]
            else f"The trail is broken: {it['problem']}"
        ),
    )
    if not verdict["ok"]:
        context.exit(1)


@audit.command("verdicts")
@json_option
@click.pass_context
def verdicts(context: click.Context, as_json: bool) -> None:
    """Compute every verdict on canaries again from what it rests on. Exit code 1 when one comes out otherwise."""
    found = Server().get("/api/v1/rollout/trial/verdicts/verify")
    show(
        found,
        as_json,
        lambda it: (
            f"All {it['verdicts']:,} verdicts come out the same, to the last bit."
            if it["ok"]
            else f"The verdicts cannot be repeated: {it['problem']}"
        ),
    )
    if not found["ok"]:
        context.exit(1)


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True)
@json_option
def list_entries(limit: int, as_json: bool) -> None:
    """The latest entries, newest first."""
    page = Server().get("/api/v1/audit", limit=limit)
    rows = [(one["entry"], one["at"][:19], one["actor"], one["action"], one["subject"]) for one in page["entries"]]
    show(page, as_json, lambda _: table(("entry", "at (UTC)", "who", "what", "subject"), rows))
