"""`workbench backup`, `restore` and `doctor`."""

from pathlib import Path

import click
from tqdm import tqdm

from ner.settings import load_settings
from workbench import launcher
from workbench.commands.output import json_option, show


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Write everything of this installation to FILE (a .tar.gz), while it runs."""
    from workbench.backups import back_up

    with tqdm(unit="B", unit_scale=True, desc="backing up", leave=False) as bar:
        summary = back_up(load_settings(), file.resolve(), bar.update)
    result = {"file": str(summary.file), "files": summary.files, "bytes": summary.size_bytes}
    show(result, as_json, lambda it: f"{it['files']:,} files in {it['file']} ({it['bytes'] / 1e6:.0f} MB).")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Put the installation in FILE into NER_HOME, which must be empty and not running."""
    from workbench.backups import restore as put_back

    settings = load_settings()
    with launcher.sole_launcher(settings):
        summary = put_back(settings, file)
    result = {"home": str(settings.home), "files": summary.files, "made_at": summary.made_at}
    show(result, as_json, lambda it: f"{it['files']:,} files of {it['made_at']} are back in {it['home']}.")


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Find what is wrong with this installation, and say what to do. Exit code 1 when something is."""
    from workbench.examination import examine

    findings = [{"check": one.check, "ok": one.ok, "finding": one.finding} for one in examine(load_settings())]
    healthy = all(one["ok"] for one in findings)
    show(
        {"ok": healthy, "findings": findings},
        as_json,
        lambda it: "\n".join(f"{'ok  ' if one['ok'] else 'FAIL'}  {one['finding']}" for one in it["findings"]),
    )
    if not healthy:
        context.exit(1)
