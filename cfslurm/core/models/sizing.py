"""How much memory variants need on a GPU, over how many of them: the rows of `cfslurm models size`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cfslurm.core.documents import STRICT
from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.engines import Engine, consequences
from cfslurm.core.models.fit import Fit, Verdict, fit, longest_context, most_sequences
from cfslurm.core.models.serving import Serving
from cfslurm.core.models.variants import Variant
from cfslurm.errors import UserInputError

_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}
_MOST_TOKENS = 2**31
# Tensor parallel sizes that are looked at where none is asked for.
_SIZES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of every variant.

    ``engine`` is empty for the usual one of a variant's format. ``serving`` has a tensor parallel
    size of 0 where the sizes are to be tried out.
    """

    gpu: GpuFacts
    engines: Mapping[str, Engine]
    serving: Serving
    engine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRow:
    """A variant over some GPUs.

    ``longest_context`` is for as many sequences as were asked for, ``most_sequences`` for as long a
    context; both 0 where nothing fits. ``notes`` tell what the GPU and the engine make of the format.
    """

    __pydantic_config__ = STRICT

    variant: str
    quantization: str
    engine: str
    fit: Fit
    longest_context: int
    most_sequences: int
    notes: tuple[str, ...] = ()


def tokens(text: str) -> int:
    """A number of tokens as people write it.

    Raises:
        UserInputError: it is none, or beyond belief.

    >>> tokens("8192"), tokens("32k"), tokens("1M")
    (8192, 32768, 1048576)
    """
    match = re.fullmatch(r"([0-9]{1,9})([kKmM]?)", text.strip())
    count = int(match[1]) * _UNITS[match[2].lower()] if match else 0
    if not 0 < count <= _MOST_TOKENS:
        raise UserInputError(
            f"{text[:40]!r} is no number of tokens", remedy="Write 8192, 32k or 1M."
        )
    return count


def usual_engine(variant: Variant) -> str:
    """llama.cpp for GGUF, transformers for bitsandbytes, else vLLM.

    >>> from tests.builders import variant
    >>> usual_engine(variant("gguf:Q4_K_M", 4.9)), usual_engine(variant("awq", 5.7))
    ('llamacpp', 'vllm')
    """
    return {"gguf": "llamacpp", "bitsandbytes": "transformers"}.get(variant.family, "vllm")


def size_rows(variants: Sequence[Variant], question: Question) -> tuple[SizeRow, ...]:
    """One row for a variant and a tensor parallel size; sizes grow until the variant fits.

    Raises:
        UserInputError: none of the engines stores keys and values so.
    """
    check_kv_cache_dtype(question.serving.kv_cache_dtype, question.engines, question.engine)
    return tuple(row for variant in variants for row in _rows(variant, question))


def check_kv_cache_dtype(dtype: str, engines: Mapping[str, Engine], engine: str) -> None:
    """What an engine stores keys and values in; any of them if ``engine`` is empty.

    Raises:
        UserInputError: none does so.
    """
    asked = [engines[engine]] if engine else engines.values()
    known = tuple(dict.fromkeys(("auto", *(n for e in asked for n in e.kv_cache_dtypes))))
    if dtype not in known:
        raise UserInputError(
            f"there is no KV cache in {dtype[:40]!r}", remedy=f"Write one of {', '.join(known)}."
        )


def _rows(variant: Variant, question: Question) -> Iterator[SizeRow]:
    name = question.engine or usual_engine(variant)
    engine = question.engines[name]
    asked = question.serving.tensor_parallel_size
    refused = None
    for size in (asked,) if asked else _SIZES:
        serving = replace(question.serving, tensor_parallel_size=size)
        found = fit(variant, serving, question.gpu, engine, engine_name=name)
        if found.reason and found.reason == refused:
            return  # what is wrong does not depend on the number of GPUs
        refused = found.reason
        yield _row(variant, question, name, serving, found)
        if found.verdict is Verdict.FITS:
            return


def _row(variant: Variant, question: Question, name: str, serving: Serving, found: Fit) -> SizeRow:
    engine, gpu = question.engines[name], question.gpu
    can_run = found.verdict is not Verdict.NO or "too much" in found.reason
    longest = longest_context(variant, serving, gpu, engine) if can_run else 0
    most = most_sequences(variant, serving, gpu, engine) if can_run else 0
    notes = consequences(variant.family, variant.dtype, gpu, engine) if can_run else ()
    if variant.architecture.assumed:
        notes = (*notes, variant.architecture.assumed)
    return SizeRow(
        variant=variant.id,
        quantization=variant.quantization,
        engine=name,
        fit=found,
        longest_context=longest,
        most_sequences=most,
        notes=notes,
    )
