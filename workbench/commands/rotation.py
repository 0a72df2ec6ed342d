"""`workbench keys rotate-…`: a change of what seals, signs and hashes, while everything runs."""

import os
import secrets

import click
from tqdm import tqdm

from ner.errors import InvalidSetting
from ner.settings import Settings, secret_key_path, secret_keys
from workbench.commands.output import json_option, show
from workbench.commands.people import keys

_ACTOR = "command line"


@keys.command("rotate-secret")
@click.option("--installation-key", is_flag=True, help="Change the secret key of the installation itself first.")
@json_option
def rotate_secret(installation_key: bool, as_json: bool) -> None:
    """Seal captured texts and secrets with a new key while everything runs, and destroy the old ones.

    Stopped half-way, it is simply run again. With --installation-key a new secret key comes first: restart every
    process with 'workbench restart', then run this again without the option.
    """
    from registry.resealing import change_key
    from registry.sealing import Seals
    from workbench.commands.local import Installation

    here = Installation()
    if installation_key:
        _change_installation_key(here.settings)
    seals = Seals(*secret_keys(here.settings))
    with tqdm(unit=" values", desc="sealing anew", leave=False) as bar:
        outcome = change_key(here.database, seals, actor=_ACTOR, progress=bar.update, carry_over=not installation_key)
    result = {"sealed": outcome.values, "lost": outcome.lost, "destroyed": outcome.destroyed}
    show(result, as_json, lambda it: _sentence(it["sealed"], it["lost"], len(it["destroyed"]), installation_key))


def _sentence(sealed: int, lost: int, destroyed: int, is_new_secret: bool) -> str:
    lines = [f"{sealed:,} values are sealed with a new key; {destroyed} older keys are destroyed."]
    if lost:
        lines.append(f"{lost:,} values could not be opened with any key that is here, and stay as they are.")
    if is_new_secret:
        lines.append(
            "The secret key is new: restart every process ('workbench restart'). Sessions, links and refresh tokens "
            "end with that."
        )
    return "\n".join(lines)


@keys.command("rotate-signing")
@json_option
def rotate_signing(as_json: bool) -> None:
    """Sign every package with a new pair of keys. Packages that the old pair does not vouch for are left out."""
    from registry.packages import open_store
    from registry.versions import list_versions
    from workbench.commands.local import Installation

    here = Installation()
    with here.database.reading() as connection:
        versions = {record.version: record.package_hash for record in list_versions(connection)}
    signed, refused = open_store(here.settings).sign_anew(versions)
    result = {"signed": signed, "refused": refused}
    show(result, as_json, lambda it: "\n".join([f"{len(it['signed'])} packages are signed anew.", *it["refused"]]))


def _change_installation_key(settings: Settings) -> None:
    """Put a new key on the first line of the file; the older ones stay below it. Raises InvalidSetting."""
    if settings.secret_key:
        raise InvalidSetting(
            "The secret key comes from NER_SECRET_KEY: put its value into NER_OLD_SECRET_KEYS, set NER_SECRET_KEY to a "
            "new one, restart every process, then run 'workbench keys rotate-secret'."
        )
    path = secret_key_path(settings)
    older = [key.decode() for key in secret_keys(settings)]
    draft = path.with_name(".secret.key.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write("\n".join([secrets.token_hex(32), *older]) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
