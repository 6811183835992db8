"""cfslurm init."""

from __future__ import annotations

from pathlib import Path

import click

_TEMPLATES = {
    "hello": "twenty items on any node, with a session; needs no model",
    "evaluate": "one array over all GPU types, each with the variant that fits it",
    "agents": "a gang: a model server, an agent that talks to it and keeps its state",
}


@click.command(
    name="init",
    epilog="Examples:  cfslurm init   ·   cfslurm init my-study --template evaluate",
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option(
    "--template", type=click.Choice(tuple(_TEMPLATES)), default="hello", show_default=True,
    help="; ".join(f"{name}: {text}" for name, text in _TEMPLATES.items()),
)  # fmt: skip
def command(folder: Path, *, template: str) -> None:
    """Write a first workflow with its program into FOLDER; nothing that exists is overwritten."""
    from cfslurm.adapters.files import write_atomic
    from cfslurm.adapters.resources import shipped
    from cfslurm.errors import UserInputError

    source = shipped(f"examples/{template}")
    files = [entry for entry in source.iterdir() if entry.is_file()]
    taken = sorted(entry.name for entry in files if (folder / entry.name).exists())
    if taken:
        raise UserInputError(
            f"{folder} already has {', '.join(taken)}",
            remedy="Name another folder: `cfslurm init study`.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for entry in sorted(files, key=lambda file: file.name):
        write_atomic(folder / entry.name, entry.read_bytes())
        click.echo(f"wrote {folder / entry.name}")
    where = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"Next:  {where}cfslurm submit workflow.yaml --dry-run")
