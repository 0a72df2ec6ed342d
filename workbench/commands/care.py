"""`workbench backup`, `restore`, `tidy` and `doctor`."""

from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from ner.settings import load_settings
from workbench import launcher
from workbench.commands.output import json_option, show, table


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--list", "is_list", is_flag=True, help="List the backups in the repository instead.")
@json_option
def backup(file: Path | None, is_list: bool, as_json: bool) -> None:
    """Back up everything while it runs: to the repository NER_BACKUP_REPOSITORY, encrypted, or to FILE.

    The repository keeps the last backup of each of 7 days, 4 weeks and 12 months. FILE (a .tar.gz, not encrypted)
    moves an embedded installation to another machine.
    """
    if is_list:
        _list_backups(as_json)
    elif file is None:
        _back_up_to_repository(as_json)
    else:
        _back_up_to_file(file, as_json)


def _list_backups(as_json: bool) -> None:
    from training.upkeep.backups import open_repository

    found = open_repository(load_settings()).snapshots()
    rows = [{"snapshot": one.id, "at": one.at} for one in found]
    show({"backups": rows}, as_json, _describe_backups)


def _describe_backups(it: dict[str, Any]) -> str:
    return table(("snapshot", "at"), [(one["snapshot"], one["at"]) for one in it["backups"]])


def _back_up_to_repository(as_json: bool) -> None:
    from training.upkeep.backups import back_up
    from workbench.commands.local import Installation

    here = Installation(load_settings())
    made = back_up(here.database, here.settings)
    rows = sum(made.rows.values())
    result = {"snapshot": made.snapshot, "rows": rows, "seconds": made.seconds}
    show(result, as_json, lambda it: f"Snapshot {it['snapshot'][:8]}: {it['rows']:,} rows, {it['seconds']:.0f} s.")


def _back_up_to_file(file: Path, as_json: bool) -> None:
    from workbench.backups import back_up

    with tqdm(unit="B", unit_scale=True, desc="backing up", leave=False) as bar:
        summary = back_up(load_settings(), file.resolve(), bar.update)
    result = {"file": str(summary.file), "files": summary.files, "bytes": summary.size_bytes}
    show(result, as_json, lambda it: f"{it['files']:,} files in {it['file']} ({it['bytes'] / 1e6:.0f} MB).")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--snapshot", default="latest", show_default=True, help="A snapshot of 'workbench backup --list'.")
@json_option
def restore(file: Path | None, snapshot: str, as_json: bool) -> None:
    """Put back a snapshot of the repository, or an archive FILE, and check it.

    NER_HOME and the database must be empty, and nothing may be running on them.
    """
    settings = load_settings()
    if file is None:
        from training.upkeep.restoring import restore as put_snapshot_back

        with launcher.sole_launcher(settings):
            done = put_snapshot_back(settings, snapshot)
        found = {
            "home": str(settings.home),
            "made_at": done.made_at,
            "rows": sum(done.rows.values()),
            "versions": done.versions,
            "audit_entries": done.audit_entries,
            "seconds": done.seconds,
        }
        show(found, as_json, _describe_restored)
        return
    from workbench.backups import restore as put_back

    with launcher.sole_launcher(settings):
        summary = put_back(settings, file)
    result = {"home": str(settings.home), "files": summary.files, "made_at": summary.made_at}
    show(result, as_json, lambda it: f"{it['files']:,} files of {it['made_at']} are back in {it['home']}.")


def _describe_restored(it: dict[str, Any]) -> str:
    return (
        f"The state of {it['made_at']} is back in {it['home']} after {it['seconds']:.0f} s, and is what was stored: "
        f"{it['rows']:,} rows, {it['versions']} versions with their packages, {it['audit_entries']:,} audit entries."
    )


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
def tidy(dry_run: bool, as_json: bool) -> None:
    """Remove what is not wanted any more: captured texts beyond their time, drafts, old packages (archived).

    Packages that an S3 bucket has lost and this machine holds are put back. The worker does it every day.
    """
    from training.upkeep.housekeeping import tidy as remove
    from workbench.commands.local import Installation

    here = Installation(load_settings())
    done = remove(here.database, here.settings, is_rehearsal=dry_run)
    parts = [{"what": one.what, "count": one.count, "bytes": one.freed_bytes, "back": one.is_back} for one in done]
    show({"dry_run": dry_run, "parts": parts}, as_json, lambda it: "\n".join(_tidied(one, it) for one in it["parts"]))


def _tidied(part: dict[str, Any], done: dict[str, Any]) -> str:
    said = ("went", "would go") if not part["back"] else ("are back", "would be put back")
    verb = said[done["dry_run"]]
    room = f", {part['bytes'] / 1e6:,.1f} MB" if part["bytes"] else ""
    return f"{part['count']:>8,} {part['what']} {verb}{room}"


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
