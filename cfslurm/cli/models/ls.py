"""cfslurm models ls."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option


@click.command(
    name="ls",
    epilog="Examples:  cfslurm models ls   ·   cfslurm models ls llama   ·   cfslurm models ls --json",
)
@click.argument("text", metavar="[TEXT]", default="")
@json_option
@click.pass_context
def command(ctx: click.Context, *, text: str, as_json: bool) -> None:
    """List the variants that lie in the model cache and in its read-only tiers.

    TEXT: only those with it in their name. The Hub is not asked.
    """
    from cfslurm.adapters.model_survey import cached_variants
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.models_table import cached_text

    context = context_of(ctx)
    roots = context.store(context.sources).roots
    found = [
        variant
        for root in roots
        for variant in cached_variants(root)
        if text.lower() in variant.id.lower()
    ]
    if as_json:
        print_json("cfslurm.models/1", caches=[str(root) for root in roots], variants=found)
    else:
        click.echo(cached_text(found, [str(root) for root in roots]))
