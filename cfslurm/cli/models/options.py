"""Options that several subcommands of `cfslurm models` have."""

from __future__ import annotations

from pathlib import Path

import click

DAY_S = 86_400.0

fresh_option = click.option(
    "--fresh", "lists_live_s", flag_value=0.0, type=float, default=DAY_S,
    help="Ask the Hub again; else what it said of names and lists is taken for a day.",
)  # fmt: skip

ctx_option = click.option(
    "--ctx", default="4096", show_default=True, metavar="TOKENS",
    help="Tokens of a sequence, prompt and answer together: 8192, 32k.",
)  # fmt: skip

seqs_option = click.option(
    "--seqs", type=click.IntRange(1, 65_536), default=1, show_default=True,
    help="Sequences at once.",
)  # fmt: skip

engine_option = click.option(
    "--engine", default="", metavar="NAME",
    help="Else vllm; llamacpp for GGUF, transformers for bitsandbytes.",
)  # fmt: skip

kv_dtype_option = click.option(
    "--kv-dtype", default="auto", show_default=True, metavar="DTYPE",
    help="What keys and values are stored in: fp8, q8_0 ….",
)  # fmt: skip

catalog_option = click.option(
    "--catalog", type=click.Path(path_type=Path, exists=True),
    help="Take recorded variants (`cfslurm plan --save-catalog`) and do not ask the Hub.",
)  # fmt: skip
