"""`workbench`, the one command. Results go to stdout, progress and complaints to stderr.

Exit code 0: done. 1: refused or failed, with one sentence. 2: misused.
"""

import errno
import sys

import click

from ner.errors import NerError
from workbench.commands.added import add as _add_version  # noqa: F401 - joins the group 'versions'
from workbench.commands.answers import bulk, predict
from workbench.commands.audit import audit
from workbench.commands.care import backup, doctor, restore, tidy
from workbench.commands.frozen import snapshots
from workbench.commands.labels import labels
from workbench.commands.learning import evaluate, train
from workbench.commands.lineage import show_version as _show_version  # noqa: F401 - joins the group 'versions'
from workbench.commands.people import demo, keys, users
from workbench.commands.policy import certificate, policy
from workbench.commands.report import report
from workbench.commands.rollout import canary, promote, rollback, versions
from workbench.commands.rotation import rotate_secret as _rotate_secret  # noqa: F401 - joins the group 'keys'
from workbench.commands.shadow import shadow
from workbench.commands.simulated import simulate
from workbench.commands.text import export_command, import_command
from workbench.commands.trials import rollout
from workbench.commands.up import restart, up

_ADVICE = "Make room first ('workbench tidy', and docs/runbooks/full-disk.md), then try again."


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="ner-workbench")
def cli() -> None:
    """Look at named-entity models, correct them, and let the better version win."""


for _command in (
    *(
        up,
        restart,
        import_command,
        export_command,
        snapshots,
        labels,
        train,
        evaluate,
        predict,
        bulk,
        versions,
        canary,
        promote,
    ),
    *(shadow, rollback, rollout, simulate, policy, audit, keys, users, demo, backup, restore, tidy, doctor),
    *(certificate, report),
):
    cli.add_command(_command)


def main() -> None:
    """Run one command and turn facts that went wrong into one sentence and exit code 1."""
    try:
        # Without a shell around it, click hands the code of `context.exit` back instead of raising it.
        code = cli(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NerError as error:
        click.echo(f"Error: {error.message}", err=True)
        sys.exit(1)
    except Exception as error:
        if not _says_that_a_disk_is_full(error):
            raise
        where = getattr(error, "filename", None) or "NER_HOME, or of the output,"
        click.echo(f"Error: The disk of {where} is full. {_ADVICE}", err=True)
        sys.exit(1)


def _says_that_a_disk_is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    # SQLite's own words, bare or within what SQLAlchemy says.
    return "database or disk is full" in str(error)
