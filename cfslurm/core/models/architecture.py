"""The shape of a transformer, from its config.json: strict, bounded, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping

from cfslurm.core.documents import Json
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import Architecture

# The largest that is believed; the largest models of today have a tenth of it.
_LIMITS = {
    "hidden_size": 2**20,
    "intermediate_size": 2**22,
    "num_hidden_layers": 4096,
    "num_attention_heads": 2**16,
    "num_key_value_heads": 2**16,
    "head_dim": 2**16,
    "vocab_size": 2**26,
    "max_position_embeddings": 2**31,
    "kv_lora_rank": 2**16,
    "qk_rope_head_dim": 2**16,
}
_SAME_IN_CHILDREN = ("hidden_size", "num_hidden_layers", "num_attention_heads")
_DTYPES = ("bfloat16", "float16", "float32")


def text_config(config: Json) -> Mapping[str, Json] | None:
    """The part of a config.json that describes the language model; None if it is no object."""
    if not isinstance(config, dict):
        return None
    for key in ("text_config", "llm_config", "language_config"):
        nested = config.get(key)
        if isinstance(nested, dict) and "hidden_size" in nested:
            return nested
    return config


def read_architecture(config: Json) -> Architecture | Refusal:
    """The architecture; refused where a number is missing, is none, or is beyond belief.

    Source: transformers' defaults: ``num_key_value_heads`` is ``num_attention_heads``, ``head_dim``
        is ``hidden_size / num_attention_heads``. Other numbers have no default here, although a
        class of transformers may have one.
    """
    text = text_config(config)
    if text is None:
        return Refusal("its config.json is no object")
    try:
        hidden, heads = _number(text, "hidden_size"), _number(text, "num_attention_heads")
        return Architecture(
            model_type=_model_type(config, text),
            hidden_size=hidden,
            intermediate_size=_first(text, ("intermediate_size", "moe_intermediate_size"), 0),
            num_hidden_layers=_number(text, "num_hidden_layers"),
            num_attention_heads=heads,
            num_key_value_heads=_first(text, ("num_key_value_heads",), heads),
            head_dim=_head_dim(text, hidden, heads),
            vocab_size=_number(text, "vocab_size"),
            max_position_embeddings=_number(text, "max_position_embeddings"),
            kv_lora_rank=_first(text, ("kv_lora_rank",), 0),
            qk_rope_head_dim=_first(text, ("qk_rope_head_dim",), 0),
        )
    except _WrongNumberError as wrong:
        return Refusal(f"its config.json {wrong}")


class _WrongNumberError(Exception):
    """A number that cannot be used; never leaves this module."""


def _number(text: Mapping[str, Json], name: str) -> int:
    value = text.get(name)
    if value is None:
        raise _WrongNumberError(f"has no {name}")
    limit = _LIMITS.get(name, 2**22)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= limit:
        raise _WrongNumberError(f"has an impossible {name}: {str(value)[:40]}")
    return value


def _first(text: Mapping[str, Json], names: tuple[str, ...], default: int) -> int:
    for name in names:
        if text.get(name) is not None:
            return _number(text, name)
    return default


def _head_dim(text: Mapping[str, Json], hidden: int, heads: int) -> int:
    if text.get("head_dim") is not None:
        return _number(text, "head_dim")
    if hidden % heads:
        raise _WrongNumberError("has no head_dim, and hidden_size does not tell it")
    return hidden // heads


def _model_type(config: Json, text: Mapping[str, Json]) -> str:
    outer = config.get("model_type") if isinstance(config, dict) else None
    name = outer or text.get("model_type")
    return name[:80] if isinstance(name, str) else ""


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
