"""`workbench policy`: the rollout policy for other controllers. `workbench certificate`: for gateways in containers."""

from pathlib import Path

import click

from registry.policy_exports import CONTROLLERS, Controller, Trial, as_yaml, export_policy
from workbench.commands.output import json_option, show


@click.group()
def policy() -> None:
    """The rollout policy."""


@policy.command("export")
@click.option("--to", type=click.Choice(CONTROLLERS), required=True, help="Whose manifests to write.")
@click.option("--stable", required=True, help="The version that answers.")
@click.option("--canary", required=True, help="The version on trial.")
@click.option("--policy", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Another policy.")
@click.option("--percent", type=float, help="Share of the canary in a Gateway API route; the first step unless given.")
@click.option("--namespace", default=Trial("", "").namespace, show_default=True)
@click.option("--prometheus", default=Trial("", "").prometheus, show_default=True, help="Who is asked.")
@json_option
def export(
    to: Controller,
    stable: str,
    canary: str,
    file: Path | None,
    percent: float | None,
    namespace: str,
    prometheus: str,
    as_json: bool,
) -> None:
    """Write the policy as manifests of Argo Rollouts, Flagger or the Gateway API, to stdout."""
    from registry.policy import load_policy

    trial = Trial(stable, canary, namespace=namespace, prometheus=prometheus)
    manifests = export_policy(load_policy(file), to, trial, percent=percent)
    show({"manifests": manifests}, as_json, lambda it: as_yaml(it["manifests"]).rstrip())


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", "names", multiple=True, required=True, help="A host name; repeat it for more.")
@click.option("--address", "addresses", multiple=True, help="An IP address.")
@json_option
def certificate(folder: Path, names: tuple[str, ...], addresses: tuple[str, ...], as_json: bool) -> None:
    """Write a self-signed certificate, gateway.crt and gateway.key, into FOLDER."""
    from ner.errors import Conflict
    from workbench.gateway import make_certificate

    files = folder / "gateway.crt", folder / "gateway.key"
    if any(path.exists() for path in files):
        raise Conflict(f"{folder} holds a certificate already; name another folder.")
    make_certificate(*files, names=names, addresses=addresses)
    show({"certificate": str(files[0]), "key": str(files[1])}, as_json, lambda it: f"{it['certificate']}, {it['key']}")
