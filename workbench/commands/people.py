"""`workbench keys`, `users` and `demo`: who may look in, and how."""

from typing import Any

import click

from ner.errors import InvalidInput
from ner.roles import ROLES, as_role
from workbench.commands.output import json_option, show, table
from workbench.commands.server import Server


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--rate-limit", default="", metavar="none|N/hour", help="Default: NER_RATE_LIMIT_PER_HOUR.")
@click.option("--days", type=click.IntRange(1), help="Days until it expires; never unless given.")
@json_option
def create_key(name: str, role: str, rate_limit: str, days: int | None, as_json: bool) -> None:
    """Make a key. It is shown this one time. Needs no server."""
    from ner.settings import secret_key
    from registry import keys as store
    from workbench.commands.local import Installation

    here = Installation()
    with here.database.transaction() as connection:
        identifier, key = store.create_key(
            connection,
            secret_key(here.settings),
            name,
            as_role(role),
            rate_limit_per_hour=_limit(rate_limit, here.settings.rate_limit_per_hour),
            days=days,
            created_by="command line",
        )
    show({"id": identifier, "key": key}, as_json, lambda it: f"{it['key']}\n(Shown this one time; id {it['id']}.)")


def _limit(text: str, default: int) -> int | None:
    if not text:
        return default
    if text == "none":
        return None
    number = text.removesuffix("/hour")
    if not number.isdigit() or int(number) < 1:
        raise InvalidInput(f"'{text}' is not a rate limit: write none, or a number of requests such as 5000/hour.")
    return int(number)


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """Every key, without its secret."""
    show({"keys": Server().get("/api/v1/keys")["keys"]}, as_json, _describe_keys)


def _describe_keys(result: dict[str, Any]) -> str:
    rows = [
        (one["id"], one["name"], one["role"], one["rate_limit_per_hour"] or "none", one["revoked_at"] or "")
        for one in result["keys"]
    ]
    return table(("id", "name", "role", "an hour", "revoked"), rows)


@keys.command("revoke")
@click.argument("identifier", metavar="ID")
@json_option
def revoke_key(identifier: str, as_json: bool) -> None:
    """Refuse a key from now on; every process follows within five seconds."""
    Server().delete(f"/api/v1/keys/{identifier}")
    show({"id": identifier, "revoked": True}, as_json, lambda it: f"Key {it['id']} is revoked.")


@click.group()
def users() -> None:
    """Add and list people, and give them a link to sign in with."""


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@json_option
def add_user(name: str, role: str, as_json: bool) -> None:
    """Add a person and print a link that signs them in once."""
    server = Server()
    user = server.post("/api/v1/users", {"name": name, "role": role})
    link = server.post(f"/api/v1/users/{name}/link")
    show({**user, "link": link["url"]}, as_json, lambda it: f"{it['name']} ({it['role']}) signs in with {it['link']}")


@users.command("link")
@click.argument("name")
@json_option
def link_user(name: str, as_json: bool) -> None:
    """A new link for a person who is there already. It works once."""
    link = Server().post(f"/api/v1/users/{name}/link")
    show(link, as_json, lambda it: str(it["url"]))


@users.command("password")
@click.argument("name")
@json_option
def set_password(name: str, as_json: bool) -> None:
    """Set a person's password. It is asked for, never given on the command line."""
    password = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    Server().put(f"/api/v1/users/{name}/password", {"password": password})
    show({"name": name}, as_json, lambda it: f"{it['name']} signs in with the new password.")


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """Everybody who may sign in."""
    listed = {"users": Server().get("/api/v1/users")["users"]}
    show(listed, as_json, lambda it: table(("name", "role"), [(one["name"], one["role"]) for one in it["users"]]))


@click.command()
@click.option("--version", help="A version; the stable one unless given.")
@click.option("--compared-with", help="A second version to show beside it.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=24.0, show_default=True)
@click.option("--with-passphrase", is_flag=True, help="Ask visitors for a passphrase as well; it is typed here now.")
@click.option("--frame-origin", "frame_origins", multiple=True, help="A site whose pages may embed it; repeatable.")
@json_option
def demo(
    version: str | None,
    compared_with: str | None,
    hours: float,
    with_passphrase: bool,
    frame_origins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a link to a demo of a version, for people without a key. It expires."""
    passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True) if with_passphrase else None
    body: dict[str, object] = {"version": version, "compared_with": compared_with, "hours": hours}
    body |= {"passphrase": passphrase, "frame_origins": list(frame_origins)}
    show(Server().post("/api/v1/demos", body), as_json, lambda it: f"{it['url']}\n(until {it['expires_at']})")
