"""The shape of a transformer, from its config.json: strict, bounded, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping

from cfslurm.core.documents import Json
from cfslurm.core.models.config_fields import DEFAULTS, Fields, WrongNumberError
from cfslurm.core.models.layers import Heads, read_layers
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture, Caching

_SAME_IN_CHILDREN = ("hidden_size", "num_hidden_layers", "num_attention_heads")
_DTYPES = ("bfloat16", "float16", "float32")
_NESTED = ("text_config", "llm_config", "language_config")
# Recurrent models have no table of positions; a length that no one asks for.
_ENDLESS = 2**31


def text_config(config: Json) -> Mapping[str, Json] | None:
    """The part of a config.json that describes the language model; None if it is no object."""
    if not isinstance(config, dict):
        return None
    for key in _NESTED:
        nested = config.get(key)
        if isinstance(nested, dict) and ("hidden_size" in nested or "model_type" in nested):
            return nested
    thinker = config.get("thinker_config")  # Qwen-Omni: a listener and a speaker
    return text_config(thinker) if isinstance(thinker, dict) else config


def read_architecture(config: Json) -> Architecture | Refusal:
    """The architecture; refused where a number is missing, is none, or is beyond belief.

    Source: transformers' defaults: ``num_key_value_heads`` is ``num_attention_heads``, ``head_dim``
        is ``hidden_size / num_attention_heads``; other defaults only for families whose published
        files leave fields out (`cfslurm.core.models.config_fields`).
    """
    text = text_config(config)
    if text is None:
        return Refusal("its config.json is no object")
    assert isinstance(config, dict)
    inner = text.get("model_type") or config.get("model_type")
    name = inner[:80] if isinstance(inner, str) else ""
    fields = Fields(text, name, {} if text is config else DEFAULTS.get(name, {}))
    try:
        return _read(config, fields)
    except WrongNumberError as wrong:
        return Refusal(f"its config.json {wrong}")


def _read(config: Mapping[str, Json], fields: Fields) -> Architecture:
    hidden, layers = fields.number("hidden_size"), fields.number("num_hidden_layers")
    is_recurrent = fields.model_type in {"mamba", "mamba2", "falcon_mamba"}
    heads = fields.maybe("num_attention_heads")
    if not heads and not is_recurrent:
        heads = fields.number("num_attention_heads")
    kv_heads = _kv_heads(fields, heads)
    head_dim = _head_dim(fields, hidden, heads)
    groups, assumed = read_layers(
        fields, Heads(layers=layers, num_key_value_heads=kv_heads, head_dim=head_dim)
    )
    vision, experts = Fields(_vision(config)), fields.inner("ffn_config")  # the latter DBRX's
    return Architecture(
        model_type=_model_type(config, fields),
        hidden_size=hidden,
        intermediate_size=fields.first("intermediate_size", "moe_intermediate_size")
        or experts.maybe("ffn_hidden_size"),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=fields.number("vocab_size"),
        max_position_embeddings=_positions(fields, is_recurrent=is_recurrent),
        kv_lora_rank=fields.maybe("kv_lora_rank"),
        qk_rope_head_dim=fields.maybe("qk_rope_head_dim"),
        q_lora_rank=fields.maybe("q_lora_rank"),
        qk_nope_head_dim=fields.natural("qk_nope_head_dim"),
        v_head_dim=fields.maybe("v_head_dim"),
        num_experts=fields.maybe("num_experts") or experts.maybe("num_experts"),
        num_experts_per_tok=fields.maybe("num_experts_per_tok")
        or experts.maybe("num_experts_per_tok"),
        moe_intermediate_size=fields.maybe("moe_intermediate_size"),
        tie_word_embeddings=bool(
            Fields(config).flag("tie_word_embeddings") or fields.flag("tie_word_embeddings")
        ),
        vision_hidden_size=vision.first("embed_dim", "hidden_size", "width") if vision.data else 0,
        image_tokens=_image_tokens(config, vision) if vision.data else 0,
        layers=groups,
        assumed=assumed,
    )


def _kv_heads(fields: Fields, heads: int) -> int:
    is_old_falcon = fields.model_type == "falcon" and not fields.flag("new_decoder_architecture")
    if is_old_falcon and fields.flag("multi_query"):
        return 1
    if fields.model_type == "gpt_bigcode" and fields.flag("multi_query") is not False:
        return 1
    return (
        fields.maybe("num_key_value_heads")
        or fields.inner("attn_config").maybe("kv_n_heads")
        or heads
    )


def _head_dim(fields: Fields, hidden: int, heads: int) -> int:
    if (told := fields.maybe("head_dim")) or not heads:
        return told
    if hidden % heads:
        raise WrongNumberError("has no head_dim, and hidden_size does not tell it")
    return hidden // heads


def _positions(fields: Fields, *, is_recurrent: bool) -> int:
    if is_recurrent:
        return fields.maybe("max_position_embeddings") or _ENDLESS
    return fields.number("max_position_embeddings")


def _model_type(config: Mapping[str, Json], fields: Fields) -> str:
    outer = config.get("model_type")
    return outer[:80] if isinstance(outer, str) else fields.model_type


def _vision(config: Mapping[str, Json]) -> Mapping[str, Json]:
    thinker = config.get("thinker_config")
    for place in (config, thinker):
        vision = place.get("vision_config") if isinstance(place, dict) else None
        if isinstance(vision, dict):
            return vision
    return {}


def _image_tokens(config: Mapping[str, Json], vision: Fields) -> int:
    """The most tokens of one picture; 0 where nothing tells.

    Source: transformers' image processors: LLaVA-NeXT cuts a picture into the tiles of its largest
        grid pinpoint and adds the whole; Qwen-VL merges 2 x 2 patches of up to 12 845 056 pixels.
    """
    fields = Fields(config)
    if told := fields.first("mm_tokens_per_image", "image_seq_length"):
        base = told
    elif vision.maybe("spatial_merge_size") and vision.maybe("patch_size"):
        return 12_845_056 // (vision.maybe("patch_size") * vision.maybe("spatial_merge_size")) ** 2
    elif vision.maybe("patch_size") and isinstance(vision.data.get("image_size"), int):
        base = (vision.maybe("image_size") // vision.maybe("patch_size")) ** 2
    else:
        return 0
    tiles = [_tiles(pin, vision) for pin in fields.words("image_grid_pinpoints")]
    return base * (1 + max(tiles)) if tiles else base


def _tiles(pin: Json, vision: Fields) -> int:
    side = vision.maybe("image_size") if isinstance(vision.data.get("image_size"), int) else 336
    sides = [size for size in pin if isinstance(size, int)] if isinstance(pin, list) else []
    if len(sides) != 2 or not side or not all(0 < size < 2**16 for size in sides):
        return 0
    return (sides[0] // side) * (sides[1] // side)


def read_dtype(config: Json) -> str:
    """The dtype of the unquantized weights; ``auto`` where the configuration does not tell.

    >>> read_dtype({"torch_dtype": "bfloat16"}), read_dtype({"text_config": {"dtype": "float16"}})
    ('bfloat16', 'float16')
    """
    text = text_config(config) or {}
    nested = config.get("text_config") if isinstance(config, dict) else None
    for place in (config, text, nested):
        for key in ("torch_dtype", "dtype"):
            value = place.get(key) if isinstance(place, Mapping) else None
            if isinstance(value, str) and value.removeprefix("torch.") in _DTYPES:
                return value.removeprefix("torch.")
    return "auto"


def parameters(weights_bytes: int, dtype: str) -> int | None:
    """How many parameters unquantized weights hold; None where the dtype is not told.

    Right to a few headers' kilobytes, and to what is stored in another dtype than the rest.
    """
    if dtype in {"bfloat16", "float16"}:
        return weights_bytes // 2
    return weights_bytes // 4 if dtype == "float32" else None


def difference(child: Architecture, base: Architecture) -> str:
    """Why two architectures cannot be the same model; empty if they can.

    The vocabulary is not compared: tools that quantize pad it.
    """
    for name in _SAME_IN_CHILDREN:
        ours, theirs = getattr(child, name), getattr(base, name)
        if ours != theirs:
            return f"{name} is {ours}, the base model has {theirs}"
    return ""


def has_attention(architecture: Architecture) -> bool:
    """False for models all of whose layers are recurrent."""
    return not architecture.layers or any(
        group.caching is not Caching.RECURRENT for group in architecture.layers
    )
