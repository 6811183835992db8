"""cfslurm models formats."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option


@click.command(
    name="formats",
    epilog="Examples:  cfslurm models formats   ·   cfslurm models formats vllm --engine-version 0.11",
)
@click.argument("engine", default="", metavar="[ENGINE]")
@click.option("--engine-version", default="", metavar="VERSION", help="Else that of this site.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, engine: str, engine_version: str, as_json: bool) -> None:
    """Show which quantization formats engines run on which GPUs.

    NVIDIA FROM is the least compute capability that loads a format; below NATIVE FROM its weights are
    unpacked for arithmetic, which saves memory and no time. A site sets its own under `engines:`.
    """
    from cfslurm.cli.output import print_json
    from cfslurm.core.report.size_table import formats_text
    from cfslurm.wiring.sizing import engine_named

    engines = engine_named(engine, engine_version, context_of(ctx))
    names = [engine] if engine else sorted(engines)
    if as_json:
        rows = [
            {"engine": name, "version": engines[name].version, "rule": rule}
            for name in names
            for rule in engines[name].formats
            if engines[name].rule(rule.format) is rule
        ]
        print_json("cfslurm.models_formats/1", formats=rows)
    else:
        click.echo(formats_text([(name, engines[name]) for name in names]))
