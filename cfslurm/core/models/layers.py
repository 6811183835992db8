"""What each layer of a model caches, from its config.json.

Source: transformers/models/*/configuration_*.py for field names and defaults; for the sizes of
recurrent states vllm/model_executor/layers/mamba/mamba_utils.py (MambaStateShapeCalculator).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cfslurm.core.documents import Json
from cfslurm.core.models.config_fields import Fields
from cfslurm.core.models.variants import Caching, LayerGroup

_FULL, _SLIDING, _RECURRENT = Caching.FULL, Caching.SLIDING, Caching.RECURRENT
_WORDS: dict[str, Caching | None] = {
    "full_attention": _FULL, "attention": _FULL, "full": _FULL, "global": _FULL, "global_attention": _FULL,
    "sliding_attention": _SLIDING, "chunked_attention": _SLIDING, "sliding_window": _SLIDING,
    "local": _SLIDING, "local_attention": _SLIDING, "linear_attention": _RECURRENT,
    "mamba": _RECURRENT, "mamba1": _RECURRENT, "mamba2": _RECURRENT, "recurrent": _RECURRENT,
    "conv": _RECURRENT, "mlp": None, "moe": None,
}  # fmt: skip
# NVIDIA's hybrid_override_pattern: mixer of each layer.
_LETTERS: dict[str, Caching | None] = {"M": _RECURRENT, "*": _FULL, "-": None, "E": None}
# Every layer is full attention in these, or their config.json says which are not.
_KNOWN = frozenset({
    "apertus", "arcee", "arctic", "baichuan", "bamba", "bloom", "chameleon", "chatglm", "codegen",
    "cohere", "cohere2", "dbrx", "deepseek", "deepseek_v2", "deepseek_v3", "deepseek_v32",
    "ernie4_5", "ernie4_5_moe", "exaone", "exaone4", "falcon", "falcon_h1", "falcon_mamba", "gemma",
    "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text", "gemma4", "gemma4_text", "glm",
    "glm4", "glm4_moe", "glm4_moe_lite", "gpt2", "gpt_bigcode", "gpt_neox", "gpt_oss", "granite",
    "granitemoe", "granitemoehybrid", "granitemoeshared", "helium", "hunyuan_v1_dense",
    "hunyuan_v1_moe", "internlm2", "internlm3", "jamba", "kimi_k2", "kimi_linear", "lfm2",
    "lfm2_moe", "llama", "llama4", "llama4_text", "mamba", "mamba2", "mimo", "minicpm", "minicpm3",
    "minimax", "minimax_m1", "minimax_m2", "mistral", "mistral3", "mixtral", "mllama_text_model",
    "mpt", "nemotron", "nemotron_h", "olmo", "olmo2", "olmo3", "olmoe", "opt", "orion", "persimmon",
    "phi", "phi3", "phi4flash", "phimoe", "qwen2", "qwen2_5_vl", "qwen2_5_vl_text", "qwen2_moe",
    "qwen2_vl", "qwen2_vl_text", "qwen3", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text",
    "qwen3_5_text", "qwen3_moe", "qwen3_next", "qwen3_vl", "qwen3_vl_moe", "qwen3_vl_moe_text",
    "qwen3_vl_text", "seed_oss", "smollm3", "solar", "stablelm", "starcoder2", "xverse", "yi",
    "zamba2",
})  # fmt: skip
_ALL_SLIDING = frozenset({"mistral", "mixtral", "phi3", "phimoe", "starcoder2"})
_ALL_RECURRENT = frozenset({"mamba", "mamba2", "falcon_mamba"})
# Every so many layers one has full attention, where the config.json does not say. Source: the defaults
# of Gemma3TextConfig, Cohere2Config, GptOssConfig, Gemma2Config and Exaone4Config.
_PATTERN = {"gemma3_text": 6, "gemma3": 6, "cohere2": 4, "gpt_oss": 2, "gemma2": 2, "exaone4": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Layers and heads of a model, as far as its attention has them."""

    layers: int
    num_key_value_heads: int
    head_dim: int


def read_layers(fields: Fields, heads: Heads) -> tuple[tuple[LayerGroup, ...], str]:
    """The groups of layers, and what was assumed; no assumption makes less of the memory.

    Raises:
        WrongNumberError: a number is beyond belief.
    """
    if fields.model_type not in _KNOWN:
        kinds: list[Caching | None] = [_FULL] * heads.layers
        name = fields.model_type[:40] or "none"
        assumed = f"model type {name!r} is not known: every layer is counted with full attention"
    else:
        kinds, assumed = _kinds(fields, heads.layers)
    state = _state(fields)
    if _RECURRENT in kinds and state is None:
        kinds = [_FULL if kind is _RECURRENT else kind for kind in kinds]
        assumed = "the size of its recurrent states is not told: counted with full attention"
    shared = min(fields.natural("num_kv_shared_layers"), heads.layers)
    if shared:
        kinds[-shared:] = [None] * shared
    counts = Counter(kind for kind in kinds if kind is not None)
    if fields.model_type == "falcon_h1":  # attention and Mamba side by side in every layer
        counts[_RECURRENT] = heads.layers
    groups = [_group(kind, counts[kind], fields, heads, state) for kind in Caching if counts[kind]]
    return tuple(groups), assumed


def _group(
    kind: Caching, count: int, fields: Fields, heads: Heads, state: tuple[int, int] | None
) -> LayerGroup:
    if kind is _RECURRENT:
        elements, conv = state or (0, 0)
        return LayerGroup(caching=kind, count=count, state_elements=elements, conv_elements=conv)
    rank = fields.maybe("kv_lora_rank")
    if rank and kind is _FULL:
        index = fields.maybe("index_head_dim")
        return LayerGroup(
            caching=Caching.LATENT,
            count=count,
            key_dim=rank + fields.maybe("qk_rope_head_dim"),
            fixed_bytes=index + index // 32,  # an FP8 key, and a 4-byte scale for each 128 of it
        )
    sliding = kind is _SLIDING
    key_dim = (0 if sliding else fields.maybe("global_head_dim")) or heads.head_dim
    kv_heads = (0 if sliding else fields.maybe("num_global_key_value_heads")) or (
        heads.num_key_value_heads
    )
    return LayerGroup(
        caching=kind,
        count=count,
        num_key_value_heads=kv_heads,
        key_dim=key_dim,
        value_dim=fields.maybe("v_head_dim") or key_dim,
        window=_window(fields) if sliding else 0,
    )


def _window(fields: Fields) -> int:
    return fields.first("sliding_window", "attention_chunk_size", "local_attention_window_size")


def _kinds(fields: Fields, layers: int) -> tuple[list[Caching | None], str]:
    """The kind of each layer: told one by one, or by a rule of the family."""
    told = _told(fields, layers)
    if told is None:
        rule = _rule(fields)
        return [rule(index) for index in range(layers)], ""
    if len(told) != layers:
        return (
            [_FULL] * layers,
            f"it names {len(told)} layers and has {layers}: all are counted with full attention",
        )
    kinds = [_WORDS.get(word, _FULL) for word in told]
    if not _window(fields):
        kinds = [_FULL if kind is _SLIDING else kind for kind in kinds]
    unknown = sorted({word for word in told if word not in _WORDS})
    if unknown:
        return kinds, f"layers of kind {unknown[0][:40]!r} are counted with full attention"
    return kinds, ""


def _told(fields: Fields, layers: int) -> list[str] | None:
    for name in ("layer_types", "layers_block_type"):
        if words := fields.words(name):
            return [_block(word) for word in words]
    if pattern := fields.text("hybrid_override_pattern"):
        names = {_FULL: "attention", _RECURRENT: "mamba", None: "mlp"}
        return [names.get(_LETTERS.get(letter, _FULL), "") for letter in pattern]
    if attention := fields.words("attn_type_list"):  # MiniMax: 1 is softmax attention
        return ["linear_attention" if kind == 0 else "attention" for kind in attention]
    for place, name, first in (
        (fields, "attn_layer_indices", 0),
        (fields.inner("linear_attn_config"), "full_attn_layers", 1),
    ):
        if full := place.words(name):
            return ["attention" if i + first in full else "mamba" for i in range(layers)]
    if rope := fields.words("no_rope_layers"):  # Llama 4: 0 is a layer that sees everything
        return ["chunked_attention" if uses else "attention" for uses in rope]
    return None


def _block(word: Json) -> str:
    return {"hybrid": "attention"}.get(word, word) if isinstance(word, str) else str(word)[:40]


def _rule(fields: Fields) -> Callable[[int], Caching]:
    kind = fields.model_type
    if kind in _ALL_RECURRENT:
        return lambda _index: _RECURRENT
    if period := fields.maybe("attn_layer_period"):  # Jamba
        offset = fields.natural("attn_layer_offset")
        return lambda index: _FULL if index % period == offset else _RECURRENT
    if fields.maybe("linear_num_value_heads"):  # Qwen3-Next
        interval = fields.maybe("full_attention_interval") or 4
        return lambda index: _FULL if (index + 1) % interval == 0 else _RECURRENT
    if kind in {"llama4", "llama4_text"}:
        return lambda index: _FULL if (index + 1) % 4 == 0 or not _window(fields) else _SLIDING
    return _sliding_rule(fields)


def _sliding_rule(fields: Fields) -> Callable[[int], Caching]:
    kind = fields.model_type
    if not _window(fields) or fields.flag("use_sliding_window") is False:
        return lambda _index: _FULL
    if kind in _ALL_SLIDING:
        return lambda _index: _SLIDING
    if fields.flag("use_sliding_window"):  # Qwen2, Qwen3
        first = fields.natural("max_window_layers")
        return lambda index: _SLIDING if index >= first else _FULL
    if kind in _PATTERN:
        pattern = _pattern(fields)
        return lambda index: _FULL if (index + 1) % pattern == 0 else _SLIDING
    return lambda _index: _FULL


def _pattern(fields: Fields) -> int:
    for name in ("sliding_window_pattern", "_sliding_window_pattern"):
        if letters := fields.text(name):  # EXAONE 4: "LLLG"
            return len(letters)
        if number := fields.maybe(name):
            return number
    return _PATTERN[fields.model_type]


def _state(fields: Fields) -> tuple[int, int] | None:
    """Elements of the state and of the convolution's window of one recurrent layer; None if untold."""
    if value_heads := fields.maybe("linear_num_value_heads"):
        return _delta_net(fields, value_heads)
    linear = fields.inner("linear_attn_config")
    if linear.data:  # Kimi
        heads, dim = linear.number("num_heads"), linear.number("head_dim")
        return heads * dim * dim, 3 * heads * dim * (linear.number("short_conv_kernel_size") - 1)
    if fields.model_type in {"minimax", "minimax_m1"}:
        dim = fields.number("head_dim")
        return fields.number("num_attention_heads") * dim * dim, 0
    if cache := fields.maybe("conv_L_cache"):  # LFM2
        return 0, fields.number("hidden_size") * (cache - 1)
    return _mamba(fields)


def _delta_net(fields: Fields, value_heads: int) -> tuple[int, int]:
    key_dim = fields.number("linear_key_head_dim")
    value_dim = fields.number("linear_value_head_dim")
    width = 2 * fields.number("linear_num_key_heads") * key_dim + value_heads * value_dim
    kernel = fields.number("linear_conv_kernel_dim")
    return value_heads * key_dim * value_dim, width * (kernel - 1)


def _mamba(fields: Fields) -> tuple[int, int] | None:
    state = fields.first("mamba_d_state", "ssm_state_size", "state_size")
    kernel = fields.first("mamba_d_conv", "conv_kernel", "d_conv")
    if not state or not kernel:
        return None
    heads = fields.first("mamba_n_heads", "mamba_num_heads", "n_mamba_heads")
    if not heads and fields.model_type == "mamba2":
        heads = fields.number("num_heads")
    hidden = fields.number("hidden_size")
    expand = fields.first("mamba_expand", "expand") or 2
    if not heads:  # Mamba 1
        inner = (
            fields.maybe("intermediate_size") if fields.model_type != "jamba" else 0
        ) or expand * hidden
        return inner * state, inner * (kernel - 1)
    dim = fields.first("mamba_d_head", "mamba_head_dim", "mamba_headdim")
    inner = heads * dim if dim else expand * hidden
    groups = fields.first("mamba_n_groups", "n_groups", "mamba_ngroups") or 1
    return inner * state, (inner + 2 * groups * state) * (kernel - 1)
