"""Telling what was made of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cfslurm.node.session_copies import Made


def tell(made: Made, *, as_json: bool) -> None:
    """Print a line for people, or the same as JSON."""
    from cfslurm.cli.output import note, print_json
    from cfslurm.core.slurm.units import human_bytes

    if as_json:
        print_json(
            "cfslurm.session_made/1",
            warnings=made.warnings,
            path=str(made.path),
            generation=made.generation,
            events=made.events,
            bytes=made.bytes,
        )
        return
    for warning in made.warnings:
        note(f"warning: {warning}")
    click.echo(
        f"{made.path}: generation {made.generation}, {made.events} events, {human_bytes(made.bytes)}"
    )
