"""The entry point: one lazy group, and the only place where an error becomes an exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from cfslurm import __version__
from cfslurm.cli.commands import COMMANDS
from cfslurm.cli.failures import describe
from cfslurm.cli.lazy import LazyGroup
from cfslurm.cli.options import Options
from cfslurm.errors import ANSWER_IS_NO, BUG, INTERRUPTED, OK, CfslurmError

_START = "cfslurm doctor      cfslurm init      cfslurm submit workflow.yaml"


@click.command(
    cls=LazyGroup,
    package="cfslurm.cli",
    sections=COMMANDS,
    start=_START,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--site", metavar="FILE", help="Use this site config instead of the one found.")
@click.option("-v", "--verbose", count=True, help="-vv shows the traceback of an error.")
@click.version_option(__version__, "--version", message="cfslurm %(version)s")
@click.pass_context
def cfslurm(ctx: click.Context, site: str | None, verbose: int) -> None:
    """Run agents, tasks and language models on Slurm clusters with mixed GPUs."""
    ctx.obj = Options(site=site)


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        answer = cfslurm.main(args=list(argv), prog_name="cfslurm", standalone_mode=False)
    except CfslurmError as error:
        click.echo(describe(error), err=True)
        if "-vv" in argv:
            traceback.print_exc()
        return error.exit_code
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:  # `cfslurm queue | head`
        sys.stderr.close()
        return OK
    except Exception:  # noqa: BLE001 - the outermost frame: a bug must not look like an answer
        traceback.print_exc()
        click.echo("this is a bug in cfslurm; please report the lines above", err=True)
        return BUG
    return answer if isinstance(answer, int) else OK


def run() -> NoReturn:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


__all__ = ["ANSWER_IS_NO", "cfslurm", "main", "run"]
