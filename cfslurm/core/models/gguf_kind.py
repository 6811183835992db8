"""Which quantization a GGUF file has: its header decides, its name only says it more exactly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from cfslurm.core.models.headers import GgufFacts, WeightsHeader
from cfslurm.core.models.refusal import Refusal

# Source: llama.cpp, include/llama.h, ``llama_ftype``, as in gguf 0.19's LlamaFileType.
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M",
    18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S",
    25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M",
    32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4", 40: "Q1_0",
}  # fmt: skip
_STEM = re.compile(r"(?:UD-)?(IQ\d|Q\d|TQ\d|MXFP4|NVFP4|BF16|F16|F32)")
_LEAST_SHARE = 0.25  # K-quants mix types; the type that names them has more than this


def gguf_kind(name_label: str, headers: Sequence[WeightsHeader]) -> tuple[str, str] | Refusal:
    """The label of a file group, and a note where its name says something else.

    ``name_label`` is what the file name tells, empty where it tells nothing. Names may say more than
    the header (``UD-Q4_K_XL``, where the header has ``Q4_K_M``): they are believed if bits and kind
    agree. Where the header has no type, or one that is unknown, the types of the tensors decide.
    """
    facts = next((header.gguf for header in headers if header.gguf), None)
    told = FILE_TYPES.get(facts.file_type, "") if facts else ""
    shares = _shares(headers)
    if not told:
        agreeing = sum(share for kind, share in shares.items() if _same(kind, name_label))
        if name_label and agreeing >= _LEAST_SHARE:
            return name_label, ""
        told = max(shares, key=lambda kind: (shares[kind], kind), default="")
    if not told:
        return Refusal("neither its name nor its header tells the quantization")
    if not name_label or _same(told, name_label):
        return name_label or told, ""
    return told, f"its file name says {name_label}, its header {told}"


def _same(label: str, other: str) -> bool:
    first, second = _STEM.match(label), _STEM.match(other)
    return first is not None and second is not None and first[1] == second[1]


def _shares(headers: Sequence[WeightsHeader]) -> dict[str, float]:
    """How much of the numbers has which type; norms and the like, always in 32 bit, left out."""
    numbers: Counter[str] = Counter()
    for header in headers:
        for row in header.rows:
            if row.part not in ("norm", "router"):
                numbers[row.dtype] += row.numbers
    total = numbers.total() or 1
    return {kind: count / total for kind, count in numbers.items()}


def no_model(facts: GgufFacts) -> str:
    """What a GGUF file is if it is no language model; empty if it is one."""
    if facts.kind != "model" or facts.architecture == "clip":
        words = {
            "adapter": "an adapter",
            "mmproj": "a projector",
            "imatrix": "an importance matrix",
        }
        return f"it is {words.get(facts.kind, 'a part')}, not a model"
    return ""
