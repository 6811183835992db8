"""What commands print: data to standard output, notes to standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from cfslurm import __version__
from cfslurm.core.documents import to_json
from cfslurm.errors import UserInputError


def print_json(schema: str, *, warnings: Sequence[str] = (), **data: object) -> None:
    """Print the envelope that every ``--json`` has: meta, errors, warnings, and the data by name.

    Shape: ``{"meta": {"schema": "cfslurm.queue/1", "cfslurm": "0.1.0"}, "errors": [], …}``.
    """
    envelope: dict[str, object] = {
        "meta": {"schema": schema, "cfslurm": __version__},
        "errors": [],
        "warnings": list(warnings),
        **data,
    }
    click.echo(json.dumps(to_json(envelope), indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Tell the user something that is not the answer; names in it may be of others' making."""
    from cfslurm.core.report.tables import printable

    click.echo("\n".join(printable(line) for line in text.split("\n")), err=True)


def write_output(path: Path, text: str) -> None:
    """Write what was asked for with ``-o``, whole or not at all.

    Raises:
        UserInputError: it cannot be written there.
    """
    from cfslurm.adapters.files import write_atomic

    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise UserInputError(
            f"{path} cannot be written: {error.strerror}", remedy="Name another file."
        ) from error


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Names and values, aligned."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"{name:<{width}}  {value}")
