"""cfslurm models show."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option, say
from cfslurm.cli.models.options import fresh_option


@click.command(
    name="show",
    epilog="Examples:  cfslurm models show Qwen/Qwen3-8B-FP8   ·   "
    "cfslurm models show unsloth/Qwen3-8B-GGUF@Q4_K_M",
)
@click.argument("variant", metavar="VARIANT")
@fresh_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, variant: str, lists_live_s: float, as_json: bool) -> None:
    """Show everything that is known of one variant: files and hashes, parameters, bytes by part.

    VARIANT is a repository, ORG/NAME, or one of its variants, ORG/NAME@QUANTIZATION, as `cfslurm models
    find` writes it. Nothing is downloaded.
    """
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.models_json import variant_row
    from cfslurm.core.report.models_table import variant_text
    from cfslurm.wiring.models import find_one

    context = context_of(ctx)
    found = find_one(variant, context, say=say, lists_live_s=lists_live_s)
    folder = context.store(context.sources).find(found)
    if as_json:
        print_json(
            "cfslurm.models_variant/1",
            warnings=found.notes,
            variant=variant_row(found, str(folder or "")),
            files=found.files,
        )
    else:
        click.echo(variant_text(found, str(folder or ""), endpoint=context.sources.hf_endpoint))
