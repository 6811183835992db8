"""Whether the prefetch job will find the user's Hub token."""

from __future__ import annotations

from pathlib import Path

from cfslurm.core.planner.plan import Plan
from cfslurm.errors import SetupError
from cfslurm.wiring import Context


def check_token(plan: Plan, context: Context) -> None:
    """Refuse a run whose prefetch job could not read a gated or private model.

    Jobs never get HF_TOKEN: Slurm keeps a job's environment in files, and shows it to operators. They
    read the file that `hf auth login` writes. Source: huggingface_hub.constants.HF_TOKEN_PATH.

    Raises:
        SetupError: a variant that is not in the cache needs a token, and there is no such file.
    """
    store = context.store(context.sources)
    closed = [
        variant.repo_id
        for variant in plan.variants.values()
        if (variant.is_gated or variant.is_private) and store.find(variant) is None
    ]
    environment = context.environment
    hf_home = environment.get("HF_HOME")
    file = (Path(hf_home) if hf_home else environment.home / ".cache" / "huggingface") / "token"
    if closed and not file.exists():
        raise SetupError(
            f"{', '.join(sorted(closed))}: reading it needs a token, and jobs do not get HF_TOKEN",
            remedy=f"`hf auth login` writes {file}, which jobs can read. Or fetch from here: "
            "`cfslurm plan FILE -o plan.json`, `cfslurm prefetch plan.json`, `cfslurm submit plan.json`.",
        )
