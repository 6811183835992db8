"""cfslurm models fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import age, context_of, json_option, say
from cfslurm.cli.models.options import (
    catalog_option,
    ctx_option,
    engine_option,
    fresh_option,
    kv_dtype_option,
    seqs_option,
)
from cfslurm.errors import ANSWER_IS_NO

if TYPE_CHECKING:
    from cfslurm.core.models.matrix import Wish


@click.command(
    name="fit",
    epilog="Examples:  cfslurm models fit Qwen/Qwen3-8B   ·   "
    "cfslurm models fit Qwen/Qwen3-32B --ctx 32k --seqs 16 --min-quality 97   ·   "
    "cfslurm models fit Qwen/Qwen3-8B --hardware hardware.json --json",
)
@click.argument("repo", metavar="REPO")
@ctx_option
@seqs_option
@engine_option
@kv_dtype_option
@click.option(
    "--min-quality", type=click.FloatRange(0, 100), default=0.0, metavar="SCORE",
    help="Nothing below; 100 is the published checkpoint.",
)  # fmt: skip
@click.option(
    "--tokens-in", default="512", show_default=True, metavar="TOKENS",
    help="Of a prompt, for the speed.",
)  # fmt: skip
@click.option(
    "--tokens-out", default="256", show_default=True, metavar="TOKENS",
    help="Of an answer, for the speed.",
)  # fmt: skip
@click.option(
    "--hardware", type=click.Path(path_type=Path, exists=True), help="For a recorded cluster."
)
@catalog_option
@fresh_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    repo: str,
    hardware: Path | None,
    catalog: Path | None,
    lists_live_s: float,
    as_json: bool,
    **asked: str | float,
) -> int | None:
    """Say which variants of a model run on which nodes of this cluster, how fast and how good.

    REPO is a model on the Hub, ORG/NAME or ORG/NAME@QUANTIZATION; a folder with a model; or, with
    --catalog, a model of that file. Each variant is shown on each kind of node over the fewest GPUs
    that hold it, the best quality first; what is not possible stands below with the reason. Exits with
    1 if nothing of it runs here.
    """
    from cfslurm.cli.output import note, print_json
    from cfslurm.core.report.matrix_table import matrix_text
    from cfslurm.wiring.fitting import Sources, fitted

    context, wish = context_of(ctx), _wish(asked)
    sources = Sources(hardware=hardware, catalog=catalog, lists_live_s=lists_live_s)
    found = fitted(repo, wish, sources, context, say=say)
    read = age(found.graph, context, file=hardware)
    if as_json:
        print_json(
            "cfslurm.models_fit/1",
            age=read, asked=wish, best=found.best, cells=found.cells, rejected=found.rejected,
        )  # fmt: skip
    else:
        note(read.text)
        click.echo(matrix_text(found.cells, found.best, wish, found.rejected))
        if found.hint:
            note(f"  try: {found.hint}")
    return None if found.best else ANSWER_IS_NO


def _wish(asked: dict[str, str | float]) -> Wish:
    from cfslurm.core.models.matrix import Wish
    from cfslurm.core.models.sizing import tokens

    return Wish(
        max_model_len=tokens(str(asked["ctx"])),
        max_num_seqs=int(asked["seqs"]),
        kv_cache_dtype=str(asked["kv_dtype"]),
        engine=str(asked["engine"]),
        min_quality=float(asked["min_quality"]),
        tokens_in=tokens(str(asked["tokens_in"])),
        tokens_out=tokens(str(asked["tokens_out"])),
    )
