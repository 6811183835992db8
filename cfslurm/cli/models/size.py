"""cfslurm models size."""

from __future__ import annotations

from collections.abc import Sequence
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
    from cfslurm.core.models.serving import Serving
    from cfslurm.core.models.sizing import SizeRow
    from cfslurm.wiring import Context
    from cfslurm.wiring.sizing import Found


@click.command(
    name="size",
    epilog="Examples:  cfslurm models size Qwen/Qwen3-8B --gpu rtx4090 --ctx 32k --seqs 16   ·   "
    "cfslurm models size ./my-model --gpu a100_80 --tp 2 --explain",
)
@click.argument("repo", metavar="REPO")
@click.option(
    "--gpu", required=True, metavar="NAME", help="A card, or a node class of this cluster."
)
@ctx_option
@seqs_option
@click.option(
    "--tp", type=click.IntRange(1, 1024), help="GPUs that share each layer; else 1, 2, 4, 8."
)
@click.option(
    "--pp",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="Stages of a pipeline, on a node each.",
)
@engine_option
@click.option("--engine-version", default="", metavar="VERSION", help="Else that of this site.")
@kv_dtype_option
@click.option("--only", default="", metavar="TEXT", help="Only variants with it in their name.")
@catalog_option
@click.option("--explain", is_flag=True, help="Show the formula behind each number.")
@fresh_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    repo: str,
    gpu: str,
    engine: str,
    engine_version: str,
    only: str,
    catalog: Path | None,
    lists_live_s: float,
    explain: bool,
    as_json: bool,
    **asked: str | int | None,
) -> int | None:
    """Say how much GPU memory the variants of a model need, and whether they fit.

    REPO is a model on the Hub, ORG/NAME or ORG/NAME@QUANTIZATION; a folder with a model; or, with
    --catalog, a model of that file. LONGEST is the longest context for as many sequences, AT ONCE how
    many sequences of such a context go onto the GPUs. Exits with 1 if nothing fits.
    """
    from cfslurm.cli.output import note, print_json
    from cfslurm.core.models.sizing import Question, size_rows
    from cfslurm.core.report.size_table import explain_text, nothing_text, size_text
    from cfslurm.wiring.sizing import engine_named, gpu_named

    context = context_of(ctx)
    engines = engine_named(engine, engine_version, context)
    facts, graph = gpu_named(gpu, context)
    read = age(graph, context) if graph else None
    serving = _serving(asked)
    variants, rejected = _found(repo, catalog, context, lists_live_s)
    chosen = [variant for variant in variants if only.lower() in variant.id.lower()]
    rows = size_rows(chosen, Question(gpu=facts, engines=engines, serving=serving, engine=engine))
    if as_json:
        print_json("cfslurm.models_size/1", age=read, gpu=facts, rows=rows, rejected=rejected)
        return None if _fits(rows) else ANSWER_IS_NO
    if read is not None:
        note(read.text)
    if not rows:
        click.echo(nothing_text(repo, rejected))
    else:
        click.echo(explain_text(rows) if explain else size_text(rows))
        note(f"{facts.product}: {facts.memory_mib} MiB by the driver{_remark(facts.note)}")
    return None if _fits(rows) else ANSWER_IS_NO


def _fits(rows: Sequence[SizeRow]) -> bool:
    from cfslurm.core.models.fit import Verdict

    return any(row.fit.verdict is not Verdict.NO for row in rows)


def _remark(text: str) -> str:
    return f"; {text}" if text else ""


def _serving(asked: dict[str, str | int | None]) -> Serving:
    from cfslurm.core.models.serving import Serving
    from cfslurm.core.models.sizing import tokens

    return Serving(
        max_model_len=tokens(str(asked["ctx"])),
        max_num_seqs=int(asked["seqs"] or 1),
        tensor_parallel_size=int(asked["tp"] or 0),
        pipeline_parallel_size=int(asked["pp"] or 1),
        kv_cache_dtype=str(asked["kv_dtype"]),
    )


def _found(repo: str, catalog: Path | None, context: Context, lists_live_s: float) -> Found:
    from cfslurm.wiring.sizing import variants_in_catalog, variants_in_folder, variants_on_hub

    if catalog is not None:
        return variants_in_catalog(repo, catalog)
    if repo.startswith((".", "/", "~")) or Path(repo).is_dir():
        return variants_in_folder(Path(repo).expanduser())
    return variants_on_hub(repo, context, say=say, lists_live_s=lists_live_s)
