"""cfslurm models find."""

from __future__ import annotations

import click

from cfslurm.cli.common import context_of, json_option, say
from cfslurm.cli.models.options import fresh_option
from cfslurm.errors import ANSWER_IS_NO


@click.command(
    name="find",
    epilog="Examples:  cfslurm models find Qwen/Qwen3-8B   ·   "
    "cfslurm models find Qwen/Qwen3-8B --fresh --json",
)
@click.argument("repo", metavar="REPO")
@click.option(
    "--revision", default="main", show_default=True, metavar="NAME",
    help="The branch, tag or commit of the model itself.",
)  # fmt: skip
@fresh_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, repo: str, revision: str, lists_live_s: float, as_json: bool
) -> int | None:
    """Find all variants of a model on the Hub, and say of those that cannot be used, why.

    REPO is the model as it was published, ORG/NAME. Looked at are its own files, what names it as its
    base model, what its organization and some trusted quantizers have published under its name, and of
    each what its configuration and the headers of its weights say. Nothing is downloaded. Exits with 1
    if there is no variant that can be used.
    """
    import shutil

    from cfslurm.cli.output import print_json
    from cfslurm.core.report.models_json import variant_row
    from cfslurm.core.report.models_table import found_text
    from cfslurm.core.workflow.model import Model
    from cfslurm.wiring.models import find

    context = context_of(ctx)
    model = Model(repo=repo, revision=revision)
    entry = find(model, context, say=say, lists_live_s=lists_live_s)
    store = context.store(context.sources)
    folders = {v.id: str(store.find(v) or "") for v in entry.variants}
    if as_json:
        print_json(
            "cfslurm.models_found/1",
            warnings=entry.notes,
            repo_id=entry.repo_id,
            revision=entry.revision,
            variants=[variant_row(v, folders[v.id]) for v in entry.variants],
            rejected=entry.rejected,
        )
    else:
        columns = shutil.get_terminal_size((110, 24)).columns
        click.echo(found_text(entry, folders, columns=columns))
    return None if entry.variants else ANSWER_IS_NO
