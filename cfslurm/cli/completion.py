"""cfslurm completion."""

from __future__ import annotations

import click


@click.command(
    name="completion",
    epilog='Examples:  eval "$(cfslurm completion bash)"   ·   '
    "cfslurm completion zsh > ~/.zfunc/_cfslurm   ·   cfslurm completion fish | source",
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a completion script. It is static: pressing TAB starts no Python."""
    from cfslurm.cli.completions import describe_commands, script

    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    click.echo(script(shell, describe_commands(root, ctx.find_root())))
