"""cfslurm sessions: one file per subcommand, imported when it is called."""

from __future__ import annotations

import click

from cfslurm.cli.lazy import LazyGroup

SUBCOMMANDS: dict[str, dict[str, str]] = {
    "Look": {
        "ls": "The sessions of a run.",
        "show": "State, conversation and recorded results, of now or of an earlier generation.",
        "diff": "What has changed between two generations, or two sessions.",
        "verify": "Read everything and compare the checksums.",
    },
    "Make": {
        "fork": "Begin a session with what another one holds, or held.",
        "copy": "Copy a session with its generations.",
        "move": "Move a session to another run or folder.",
        "export": "Write a session into one file.",
        "import": "Begin a session with an exported file.",
    },
    "Keep": {
        "repair": "Put damaged files aside.",
        "prune": "Remove old generations.",
    },
}


@click.command(
    name="sessions",
    cls=LazyGroup,
    package="cfslurm.cli.sessions",
    sections=SUBCOMMANDS,
    no_args_is_help=True,
    epilog="Examples:  cfslurm sessions ls   ·   cfslurm sessions show agent.0   ·   "
    "cfslurm sessions fork agent.0 agent.try --generation 57",
)
def command() -> None:
    """What agents and tasks have saved: look at it, take it elsewhere, keep it in order.

    SESSION is a session's name in the run (--run), or its folder, with a slash. Looking only reads, at
    any time, also while a job writes; what changes a session is refused while somebody writes it.
    """
