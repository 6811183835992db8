"""cfslurm config."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option


@click.group(name="config")
def command() -> None:
    """Settings, and where each of them comes from."""


@command.command(
    name="show", epilog="Examples:  cfslurm config show --origin   ·   cfslurm config show --json"
)
@click.option("--origin", "with_origin", is_flag=True, help="Say where each value comes from.")
@json_option
@click.pass_context
def show(ctx: click.Context, *, with_origin: bool, as_json: bool) -> None:
    """Print the settings in force: environment, then user's file, then site's file, then built-in."""
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.tables import table

    context = context_of(ctx)
    entries = context.settings.entries
    if as_json:
        site = str(context.site_file) if context.site_file else None
        print_json("cfslurm.config/1", site_file=site, settings=entries)
        return
    rows = []
    for entry in entries:
        value = ", ".join(entry.value) if isinstance(entry.value, tuple) else entry.value
        rows.append((entry.name, value or "-", *((f"← {entry.origin}",) if with_origin else ())))
    header = ("NAME", "VALUE", *(("ORIGIN",) if with_origin else ()))
    click.echo(table(header, rows))
