"""Does a model of a workflow mean something?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cfslurm.core.workflow.mistakes import check_name, unknown
from cfslurm.core.workflow.model import Model
from cfslurm.core.workflow.names import is_name
from cfslurm.errors import Problem

FAMILIES = (
    "none", "fp8", "int8", "awq", "gptq", "w4a16", "nvfp4", "mxfp4", "bitsandbytes", "gguf",
)  # fmt: skip
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,199}", re.ASCII)


def check_model(name: str, model: Model) -> Iterator[Problem]:
    """One model: its place on the Hub, what may be done to it, and its limits."""
    path = f"models.{name}"
    yield from check_name(path, name, "model")
    if not _REPO.fullmatch(model.repo):
        yield Problem(
            path=f"{path}.repo",
            message=f"{model.repo[:60]!r} is not a repository on the Hub",
            remedy="Write org/name, as on the model's page.",
        )
    if not _REVISION.fullmatch(model.revision) or ".." in model.revision:
        yield Problem(
            path=f"{path}.revision",
            message=f"{model.revision[:60]!r} is not a branch, tag or commit",
            remedy="Write main, a tag, or the 40-digit commit.",
        )
    for index, family in enumerate(model.allow):
        if family not in FAMILIES:
            yield unknown(f"{path}.allow.{index}", "quantization", family, FAMILIES)
    if model.variant is not None and not _is_variant(model.variant):
        yield unknown(f"{path}.variant", "variant", model.variant, FAMILIES)
    for key, lowest, highest in (
        ("max_model_len", 1, 10_000_000),
        ("max_num_seqs", 1, 65_536),
        ("min_quality", 0, 100),
    ):
        value = getattr(model, key)
        if not lowest <= value <= highest:
            yield Problem(
                path=f"{path}.{key}",
                message=f"{key} is {value}, not between {lowest} and {highest}",
                remedy=f"Give a number from {lowest} to {highest}.",
            )
    yield from _check_scores(f"{path}.quality", model)
    size = model.tensor_parallel_size
    if size is not None and not 1 <= size <= 1024:
        yield Problem(
            path=f"{path}.tensor_parallel_size",
            message=f"tensor_parallel_size is {size}",
            remedy="Give the number of GPUs, or leave it out and let the plan choose.",
        )
    if not is_name(model.engine):
        yield Problem(
            path=f"{path}.engine",
            message=f"{model.engine[:40]!r} is not the name of an engine",
            remedy="Write vllm, sglang, llamacpp, transformers, or one that the site config adds.",
        )


def _check_scores(path: str, model: Model) -> Iterator[Problem]:
    for name, score in model.quality.items():
        if not 0 <= score <= 100:
            yield Problem(
                path=f"{path}.{name}",
                message=f"the score is {score:g}, not between 0 and 100",
                remedy="100 is the published checkpoint; what a test of yours keeps of it, in percent.",
            )
        if not _is_variant(name.split("@")[0]):
            yield unknown(f"{path}.{name}", "quantization", name, FAMILIES)


def _is_variant(variant: str) -> bool:
    return variant.split(":")[0] in FAMILIES or _REPO.fullmatch(variant) is not None
