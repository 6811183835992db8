"""cfslurm doctor."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option


@click.command(
    name="doctor", epilog="Examples:  cfslurm doctor   ·   cfslurm doctor --json --no-hub"
)
@click.option("--hub/--no-hub", "ask_hub", default=True, help="Ask the Hub too.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, ask_hub: bool, as_json: bool) -> int | None:
    """Look at this machine, at Slurm, at storage and at the Hub, and say what to mend.

    Exits with 1 if something is missing that cfslurm needs.
    """
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.tables import columns
    from cfslurm.wiring.checkup import checkup

    checks = checkup(context_of(ctx), ask_hub=ask_hub)
    if as_json:
        print_json("cfslurm.doctor/1", checks=checks)
    else:
        width = max(columns(check.name) for check in checks)
        for check in checks:
            click.echo(f" {check.grade:<4}  {check.name:<{width}}  {check.detail}")
            if check.remedy:
                click.echo(f"       {'':<{width}}  try: {check.remedy}")
    return 1 if any(check.grade == "fail" for check in checks) else None
