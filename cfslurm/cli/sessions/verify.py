"""cfslurm sessions verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import json_option
from cfslurm.cli.sessions.places import folders_of, key_of, place, run_option
from cfslurm.errors import ANSWER_IS_NO

if TYPE_CHECKING:
    from cfslurm.core.session.survey import GenerationFacts


@click.command(
    name="verify",
    epilog="Examples:  cfslurm sessions verify   ·   cfslurm sessions verify agent.0 --run lab-3f09a1",
)
@click.argument("session", metavar="[SESSION]…", nargs=-1)
@run_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, session: tuple[str, ...], run: str, as_json: bool) -> int | None:
    """Read every generation and what it needs to the last byte, and compare the checksums.

    Without SESSION, all sessions of the run. Exits with 1 if something is damaged.
    """
    from cfslurm.adapters.session_folder import translated
    from cfslurm.adapters.session_survey import verify
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import verify_text
    from cfslurm.node.session_snapshot import no_session

    key = key_of(ctx)
    named = [place(ctx, name, run) for name in session]
    found: dict[str, tuple[GenerationFacts, ...]] = {}
    for folder in named or folders_of(ctx, run):
        with translated(folder):
            found[str(folder)] = verify(folder, key)
        if named and not found[str(folder)]:
            raise no_session(folder)
    if as_json:
        print_json("cfslurm.session_verify/1", sessions=found)
    else:
        click.echo(verify_text(found))
    bad = any(g.damage or g.journal_damage for generations in found.values() for g in generations)
    return ANSWER_IS_NO if bad else None
