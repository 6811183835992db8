"""cfslurm sessions diff."""

from __future__ import annotations

import click

from cfslurm.cli.common import json_option
from cfslurm.cli.sessions.places import key_of, place, run_option, session_argument
from cfslurm.errors import ANSWER_IS_NO


@click.command(
    name="diff",
    epilog="Examples:  cfslurm sessions diff agent.0   ·   "
    "cfslurm sessions diff agent.0 --from 5 --to 9   ·   cfslurm sessions diff agent.0 agent.1",
)
@session_argument
@click.argument("other", metavar="[OTHER]", required=False)
@run_option
@click.option(
    "--from", "earlier", type=click.IntRange(min=1), metavar="N",
    help="The generation of SESSION; the one before the newest if there is no OTHER.",
)  # fmt: skip
@click.option(
    "--to", "later", type=click.IntRange(min=1), metavar="N",
    help="The generation to compare with; if not given, what is there now.",
)  # fmt: skip
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, session: str, other: str | None, run: str, earlier: int | None,
    later: int | None, as_json: bool,
) -> int | None:  # fmt: skip
    """Compare two generations of SESSION, or SESSION with OTHER. Exits with 1 if they differ."""
    from cfslurm.adapters.session_folder import translated
    from cfslurm.adapters.session_io import list_folder
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.session_table import diff_text
    from cfslurm.core.session.diff import difference
    from cfslurm.node.session_snapshot import read_session

    key = key_of(ctx)
    one = place(ctx, session, run)
    two = place(ctx, other, run) if other else one
    if other is None and earlier is None:
        with translated(one):
            kept = list_folder(one).generations if one.is_dir() else ()
        earlier = kept[-2].generation if len(kept) > 1 else None
    found = difference(
        read_session(one, key=key, generation=earlier), read_session(two, key=key, generation=later)
    )
    if as_json:
        print_json("cfslurm.session_diff/1", difference=found)
    else:
        click.echo(diff_text(found))
    return None if found.is_empty else ANSWER_IS_NO
