"""Numbers out of a config.json that a stranger wrote: typed, bounded, by the names the field uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cfslurm.core.documents import Json

# The largest that is believed; the largest models of today have a tenth of it.
_LIMITS = {
    "hidden_size": 2**20,
    "num_hidden_layers": 4096,
    "num_attention_heads": 2**16,
    "num_key_value_heads": 2**16,
    "head_dim": 2**16,
    "vocab_size": 2**26,
    "max_position_embeddings": 2**31,
    "kv_lora_rank": 2**16,
    "qk_rope_head_dim": 2**16,
    "sliding_window": 2**31,
}
_LIMIT = 2**22
# Older families have names of their own. Source: attribute_map and fields of transformers' GPT2Config,
# FalconConfig, BloomConfig, MptConfig and DbrxConfig, and the published config.json of ChatGLM.
_ALIASES = {
    "hidden_size": ("n_embd", "d_model"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "num_key_value_heads": ("num_kv_heads", "n_head_kv", "multi_query_group_num"),
    "head_dim": ("kv_channels", "attention_head_dim"),
    "intermediate_size": ("ffn_hidden_size", "n_inner"),
    "max_position_embeddings": ("n_positions", "max_seq_len", "seq_length"),
    "vocab_size": ("padded_vocab_size",),
    "num_experts": ("num_local_experts", "n_routed_experts", "moe_num_experts"),
    "num_experts_per_tok": ("num_experts_per_token", "moe_k", "moe_top_k"),
    "moe_intermediate_size": ("expert_ffn_hidden_size",),
}
# What a class of transformers takes where the text_config of a larger model leaves a field out, for the
# families whose published files do. Source: transformers/models/*/configuration_*.py.
_LLAMA = {
    "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 2048,
}  # fmt: skip
_MISTRAL = {
    **_LLAMA, "intermediate_size": 14336, "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
}  # fmt: skip
DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "llama": _LLAMA,
    "mistral": _MISTRAL,
    "mixtral": {**_MISTRAL, "num_experts": 8, "num_experts_per_tok": 2},
    "qwen2": {
        **_LLAMA, "intermediate_size": 22016, "num_key_value_heads": 32, "vocab_size": 151936,
        "max_position_embeddings": 32768,
    },
    "gemma3_text": {
        "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262208,
        "max_position_embeddings": 131072, "sliding_window": 4096,
    },
}  # fmt: skip


class WrongNumberError(Exception):
    """A number that is missing or cannot be used; the readers of this room turn it into a refusal."""


@dataclass(frozen=True, slots=True)
class Fields:
    """One object of a config.json; ``defaults`` stand in for numbers that it leaves out."""

    data: Mapping[str, Json]
    model_type: str = ""
    defaults: Mapping[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """A number above 0 that must be there.

        Raises:
            WrongNumberError: it is missing, no number, or beyond belief.
        """
        found = self.maybe(name)
        if not found:
            raise WrongNumberError(f"has no {name}")
        return found

    def maybe(self, name: str) -> int:
        """The same where it may be missing; 0 if it is.

        Raises:
            WrongNumberError: it is there and no number above 0, or beyond belief.
        """
        for alias in (name, *_ALIASES.get(name, ())):
            value = self.data.get(alias)
            if value is not None:
                return _checked(alias, value, _LIMITS.get(name, _LIMIT))
        return self.defaults.get(name, 0)

    def first(self, *names: str) -> int:
        """The first that is there; 0 if none is."""
        return next((found for name in names if (found := self.maybe(name))), 0)

    def natural(self, name: str) -> int:
        """A number that may be 0, as where layers are counted from; 0 if it is missing."""
        return 0 if self.data.get(name) == 0 else self.maybe(name)

    def flag(self, name: str) -> bool | None:
        """True, False, or None where it is not told."""
        value = self.data.get(name)
        return value if isinstance(value, bool) else None

    def words(self, name: str) -> tuple[Json, ...]:
        """A list, empty if there is none."""
        value = self.data.get(name)
        return tuple(value) if isinstance(value, list) else ()

    def text(self, name: str) -> str:
        """A text, empty if there is none."""
        value = self.data.get(name)
        return value if isinstance(value, str) else ""

    def inner(self, name: str) -> Fields:
        """An object inside, without any field if there is none."""
        value = self.data.get(name)
        return Fields(value if isinstance(value, dict) else {})


def _checked(name: str, value: Json, limit: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= limit:
        raise WrongNumberError(f"has an impossible {name}: {str(value)[:40]}")
    return value
