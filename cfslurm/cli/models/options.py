"""Options that several subcommands of `cfslurm models` have."""

from __future__ import annotations

import click

DAY_S = 86_400.0

fresh_option = click.option(
    "--fresh", "lists_live_s", flag_value=0.0, type=float, default=DAY_S,
    help="Ask the Hub again; else what it said of names and lists is taken for a day.",
)  # fmt: skip
