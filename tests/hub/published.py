"""Repositories as large as published ones that take no space: true configurations, true tensor tables,
and data that is a hole in the file.

Source: the shapes are those of the published checkpoints; what they add up to is compared with the
``total_size`` of the published index in `tests/hub/test_published.py`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from cfslurm.core.documents import Json
from tests.hub.content import SETTINGS
from tests.model_configs import CONFIGS

Shape = tuple[int, ...]
Table = Iterator[tuple[str, str, Shape]]
_BYTES = {"BF16": 2, "F16": 2, "I32": 4, "U8": 1}
_GROUP = 128
_AWQ: dict[str, Json] = {
    "quantization_config": {
        "quant_method": "awq", "bits": 4, "group_size": _GROUP, "zero_point": True, "version": "gemm",
    }
}  # fmt: skip


def make_published(root: Path) -> None:
    """Write all of them below a root."""
    for repo, name, awq in (
        ("meta/llama-8b", "Llama-3.1-8B", False),
        ("meta/llama-70b", "Llama-3.1-70B", False),
        ("quantlab/llama-70b-AWQ", "Llama-3.1-70B", True),
        ("mistral/mixtral-8x7b", "Mixtral-8x7B", False),
        ("deepseek/coder-33b", "DeepSeek-Coder-33B", False),
        ("llava/next-34b", "LLaVA-NeXT-34B", False),
        ("quantlab/next-34b-AWQ", "LLaVA-NeXT-34B", True),
    ):
        base = {
            "quantlab/llama-70b-AWQ": "meta/llama-70b",
            "quantlab/next-34b-AWQ": "llava/next-34b",
        }
        config = {**CONFIGS[name], **(_AWQ if awq else {})}
        _write(root / repo, config, decoder(CONFIGS[name], awq=awq), base.get(repo, ""))
    oss = CONFIGS["gpt-oss-20b"]
    _write(root / "openai/gpt-oss-20b", oss, gpt_oss(oss), "")


def _write(folder: Path, config: dict[str, Json], table: Table, base: str) -> None:
    folder.mkdir(parents=True)
    header: dict[str, Json] = {}
    end = 0
    for name, dtype, shape in table:
        begin, end = end, end + _size(dtype, shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    weights = folder / "model.safetensors"
    with weights.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    (folder / "config.json").write_text(json.dumps(config))
    card = f"base_model: {base}\nbase_model_relation: quantized\n" if base else ""
    (folder / "README.md").write_text(f"---\nlicense: other\n{card}---\n")
    stat = weights.stat()
    # Nobody will fetch these files: the server need not read the holes to hash them.
    digest = hashlib.sha256(text).hexdigest()
    hashes = {weights.name: [stat.st_size, stat.st_mtime_ns, digest]}
    (folder / SETTINGS).write_text(json.dumps({"downloads": 1000, "hashes": hashes}))


def _size(dtype: str, shape: Shape) -> int:
    size = _BYTES[dtype]
    for length in shape:
        size *= length
    return size


def decoder(config: dict[str, Json], *, awq: bool) -> Table:
    """A decoder in the layout of Llama or Mixtral; with a vision tower where it has one."""
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else config
    prefix = "language_model." if inner is text else ""
    layers, hidden = _number(inner, "num_hidden_layers"), _number(inner, "hidden_size")
    vocab = _number(inner, "vocab_size")
    yield f"{prefix}model.embed_tokens.weight", "BF16", (vocab, hidden)
    yield f"{prefix}lm_head.weight", "BF16", (vocab, hidden)
    yield f"{prefix}model.norm.weight", "BF16", (hidden,)
    for layer in range(layers):
        place = f"{prefix}model.layers.{layer}"
        for name, shape in _matrices(inner):
            yield from (
                _packed(f"{place}.{name}", shape) if awq else _plain(f"{place}.{name}", shape)
            )
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{place}.{name}.weight", "BF16", (hidden,)
        if experts := inner.get("num_local_experts"):
            assert isinstance(experts, int)
            yield f"{place}.block_sparse_moe.gate.weight", "BF16", (experts, hidden)
    if prefix:
        yield from _tower(hidden)


def _number(config: dict[str, Json], name: str) -> int:
    value = config[name]
    assert isinstance(value, int)
    return value


def _matrices(config: dict[str, Json]) -> Sequence[tuple[str, Shape]]:
    hidden, inner = _number(config, "hidden_size"), _number(config, "intermediate_size")
    heads, kv_heads = _number(config, "num_attention_heads"), _number(config, "num_key_value_heads")
    kv = hidden // heads * kv_heads
    found = [
        ("self_attn.q_proj", (hidden, hidden)),
        ("self_attn.k_proj", (kv, hidden)),
        ("self_attn.v_proj", (kv, hidden)),
        ("self_attn.o_proj", (hidden, hidden)),
    ]
    experts = config.get("num_local_experts")
    if isinstance(experts, int):
        for number in range(experts):
            place = f"block_sparse_moe.experts.{number}"
            found += [(f"{place}.w1", (inner, hidden)), (f"{place}.w3", (inner, hidden))]
            found.append((f"{place}.w2", (hidden, inner)))
        return found
    return [
        *found,
        ("mlp.gate_proj", (inner, hidden)),
        ("mlp.up_proj", (inner, hidden)),
        ("mlp.down_proj", (hidden, inner)),
    ]


def _plain(name: str, shape: Shape) -> Table:
    yield f"{name}.weight", "BF16", shape


def _packed(name: str, shape: Shape) -> Table:
    """AWQ: eight weights in an int32, a scale and a zero point for each group of 128."""
    out, into = shape
    yield f"{name}.qweight", "I32", (into, out // 8)
    yield f"{name}.qzeros", "I32", (into // _GROUP, out // 8)
    yield f"{name}.scales", "F16", (into // _GROUP, out)


def _tower(hidden: int) -> Table:
    """CLIP ViT-L/14 at 336 pixels, and the projector."""
    width, inner = 1024, 4096
    yield "vision_tower.vision_model.embeddings.patch_embedding.weight", "BF16", (width, 3, 14, 14)
    yield "vision_tower.vision_model.embeddings.position_embedding.weight", "BF16", (577, width)
    for layer in range(24):
        place = f"vision_tower.vision_model.encoder.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{place}.self_attn.{name}.weight", "BF16", (width, width)
        yield f"{place}.mlp.fc1.weight", "BF16", (inner, width)
        yield f"{place}.mlp.fc2.weight", "BF16", (width, inner)
    yield "multi_modal_projector.linear_1.weight", "BF16", (hidden, width)
    yield "multi_modal_projector.linear_2.weight", "BF16", (hidden, hidden)


def gpt_oss(config: dict[str, Json]) -> Table:
    """Experts in MXFP4: 32 numbers of 4 bit to a block, and a scale of 8 bit for each; the rest in BF16."""
    hidden, experts = _number(config, "hidden_size"), _number(config, "num_local_experts")
    vocab, heads = _number(config, "vocab_size"), _number(config, "num_attention_heads")
    width, kv = heads * 64, 8 * 64
    yield "model.embed_tokens.weight", "BF16", (vocab, hidden)
    yield "lm_head.weight", "BF16", (vocab, hidden)
    yield "model.norm.weight", "BF16", (hidden,)
    for layer in range(_number(config, "num_hidden_layers")):
        place = f"model.layers.{layer}"
        for name, out, into in (("q", width, hidden), ("k", kv, hidden), ("v", kv, hidden)):
            yield f"{place}.self_attn.{name}_proj.weight", "BF16", (out, into)
            yield f"{place}.self_attn.{name}_proj.bias", "BF16", (out,)
        yield f"{place}.self_attn.o_proj.weight", "BF16", (hidden, width)
        yield f"{place}.self_attn.o_proj.bias", "BF16", (hidden,)
        yield f"{place}.self_attn.sinks", "BF16", (heads,)
        yield f"{place}.mlp.router.weight", "BF16", (experts, hidden)
        yield f"{place}.mlp.router.bias", "BF16", (experts,)
        for name, out in (("gate_up_proj", 2 * hidden), ("down_proj", hidden)):
            yield f"{place}.mlp.experts.{name}_blocks", "U8", (experts, out, hidden // 32, 16)
            yield f"{place}.mlp.experts.{name}_scales", "U8", (experts, out, hidden // 32)
            yield f"{place}.mlp.experts.{name}_bias", "BF16", (experts, out)
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"{place}.{name}.weight", "BF16", (hidden,)
