"""What the header of a weight file tells, and what the headers of a variant tell together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cfslurm.core.documents import STRICT
from cfslurm.core.models.variants import WeightsSummary

# Bits of a number by dtype, as safetensors and GGUF name those that others are packed into.
_CARRIER_BITS = {"I32": 32, "U32": 32, "I16": 16, "U8": 8, "I8": 8}

# Source: tensor names of transformers, llama.cpp (gguf-py, constants.py) and Mistral's own format; the
# first that is found in a name decides.
_PARTS = tuple(
    (part, re.compile(pattern))
    for part, pattern in (
        ("mtp", r"(?:^|\.)mtp\.|nextn"),
        (
            "multimodal",
            r"vision|visual|image|audio|speech|multi_modal|multimodal|mm_projector|(?:^|\.)(?:mm|v|a)\.",
        ),
        ("router", r"\.gate\.(?:weight|bias|e_score)|router|ffn_gate_inp|exp_probs_b"),
        ("norm", r"norm|(?:^|\.)ln_?\w*\."),
        ("experts", r"\.experts\.|_exps\."),
        ("latent", r"(?:q_a|kv_a)_proj|attn_(?:q_a|kv_a)|qkv_a_proj"),
        ("recurrent", r"mixer|mamba|linear_attn|ssm_|\.ssm\.|conv1d"),
        ("attention", r"attn|attention"),
        ("mlp", r"mlp|ffn|feed_forward|shared_expert|_shexp|\.fc[12]\.|dense_"),
        ("embedding", r"embed_tokens|embed_in|token_embd|tok_embeddings|word_embeddings|\bw[tp]e\b|embed"),
        ("output", r"lm_head|embed_out|^output\."),
    )
)  # fmt: skip
_UNTIED = re.compile(r"lm_head|embed_out|^output\.weight")
_LAYER = re.compile(r"(?:layers|blk|blocks|block|h)\.(\d{1,5})\.")
_COMPANION = re.compile(
    r"[._](?:scales?|scale_inv|scale_\d|scale_inv_\d|zero_point|zeros|qzeros|g_idx|absmax|quant_map"
    r"|SCB|weight_shape|weight_format|global_scale)$|quant_state"
)
_PACKED = re.compile(r"(?:qweight|weight_packed|_blocks)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRow:
    """Tensors of a file that count alike: how many, the numbers stored in them, their bytes.

    ``part`` is one of `cfslurm.core.models.variants.PARTS`; ``layer`` is -1 outside the layers. ``role``
    is ``weight``; ``packed`` where several weights share a stored number; ``companion`` for scales.
    """

    __pydantic_config__ = STRICT

    part: str
    layer: int
    dtype: str
    role: str
    count: int
    numbers: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFacts:
    """Of a GGUF header, what tells which model it is; numbers and texts by key without the architecture.

    ``file_type`` is llama.cpp's number, -1 where the header has none; ``vocabulary`` is how many
    tokens there are, 0 where the header has no list of them. ``chat_template_sha256`` is of
    the template's bytes, empty where there is none.
    """

    __pydantic_config__ = STRICT

    version: int
    architecture: str
    kind: str
    file_type: int
    split_number: int
    split_count: int
    vocabulary: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)
    chat_template_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsHeader:
    """The header of one weight file, added up; ``gguf`` is None for safetensors."""

    __pydantic_config__ = STRICT

    rows: tuple[TensorRow, ...]
    gguf: GgufFacts | None = None


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as a header lists it."""

    name: str
    dtype: str
    numbers: int
    bytes: int


def part_of(name: str) -> str:
    """The part of a model that a tensor belongs to, by its name.

    >>> part_of("model.layers.3.mlp.gate_proj.weight"), part_of("model.layers.3.mlp.gate.weight")
    ('mlp', 'router')
    """
    if _UNTIED.search(name):
        return "output"
    return next((part for part, pattern in _PARTS if pattern.search(name)), "other")


def rows_of(tensors: Iterable[Tensor]) -> tuple[TensorRow, ...]:
    """Add up what counts alike."""
    totals: dict[tuple[str, int, str, str], list[int]] = {}
    for tensor in tensors:
        layer = _LAYER.search(tensor.name)
        key = (
            part_of(tensor.name),
            int(layer[1]) if layer else -1,
            tensor.dtype,
            _role(tensor.name),
        )
        total = totals.setdefault(key, [0, 0, 0])
        total[0] += 1
        total[1] += tensor.numbers
        total[2] += tensor.bytes
    return tuple(
        TensorRow(part=part, layer=layer, dtype=dtype, role=role, count=c, numbers=n, bytes=b)
        for (part, layer, dtype, role), (c, n, b) in sorted(totals.items())
    )


def _role(name: str) -> str:
    if _COMPANION.search(name):
        return "companion"
    return "packed" if _PACKED.search(name) else "weight"


def summarize(
    headers: Iterable[WeightsHeader], *, bits: int, num_hidden_layers: int | None
) -> WeightsSummary:
    """Add up the headers of a variant.

    ``bits`` is how many a packed weight has. Layers from ``num_hidden_layers`` on are for multi-token
    prediction, as DeepSeek-V3 stores them; None where the number is unknown.
    """
    sizes: Counter[str] = Counter()
    parameters: Counter[str] = Counter()
    for header in headers:
        for row in header.rows:
            is_beyond = num_hidden_layers is not None and row.layer >= num_hidden_layers
            part = "mtp" if is_beyond and row.part != "multimodal" else row.part
            sizes[part] += row.bytes
            if row.role != "companion":
                parameters[row.dtype] += row.numbers * _in_one(row, bits)
    return WeightsSummary(
        parameters=parameters.total(),
        parameters_by_dtype=dict(sorted(parameters.items())),
        bytes_by_part=dict(sorted(sizes.items())),
    )


def _in_one(row: TensorRow, bits: int) -> int:
    """How many weights a stored number holds.

    Bytes hold two of 4 bits also under the plain name ``weight``. Source: the checkpoints of
    ModelOpt (NVFP4) and bitsandbytes; int32 of AWQ, GPTQ and compressed-tensors holds 32 / bits.
    """
    carrier = _CARRIER_BITS.get(row.dtype, 0)
    is_packed = row.role == "packed" or row.dtype == "U8"
    return carrier // bits if is_packed and carrier and bits < carrier else 1
