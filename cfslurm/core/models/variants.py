"""Variants of a model: a repository at a commit, a set of files, a quantization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cfslurm.core.documents import STRICT

SCHEMA = "cfslurm.catalog/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The shape of a transformer; names as in the Hugging Face config.json.

    ``kv_lora_rank`` is 0 except for latent attention (MLA). ``parameters`` is counted from the
    unquantized safetensors headers or their bytes, None where nothing tells.
    """

    __pydantic_config__ = STRICT

    model_type: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    kv_lora_rank: int = 0
    qk_rope_head_dim: int = 0
    parameters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file of a variant.

    Exactly one of ``sha256`` (LFS and Xet files) and ``git_sha1`` (small files, git's blob hash) is
    set: what its bytes must hash to. ``is_weights`` marks what is loaded into GPU memory.
    """

    __pydantic_config__ = STRICT

    path: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""
    is_weights: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run a model.

    ``revision`` is the 40-digit commit. ``quantization`` is ``none``, a family (``fp8``, ``awq``,
    ``gptq`` …) or for GGUF family and label (``gguf:Q4_K_M``). ``group_size`` is 0 where it has no
    meaning. ``quality`` is 100 for the published checkpoint.
    """

    __pydantic_config__ = STRICT

    repo_id: str
    revision: str
    quantization: str
    dtype: str
    files: tuple[ModelFile, ...]
    architecture: Architecture
    quality: float
    quality_source: str
    group_size: int = 0
    is_gated: bool = False
    is_private: bool = False
    licence: str = ""

    @property
    def id(self) -> str:
        """A short name that is unique in a catalogue."""
        return f"{self.repo_id}@{self.quantization}"

    @property
    def family(self) -> str:
        """The quantization without its label."""
        return self.quantization.split(":", 1)[0]

    @property
    def label(self) -> str:
        """The quantization's label, empty except for GGUF."""
        return self.quantization.partition(":")[2]

    @property
    def weights_bytes(self) -> int:
        """Bytes of the files that are loaded; exact for what is stored."""
        return sum(file.size_bytes for file in self.files if file.is_weights)

    @property
    def total_bytes(self) -> int:
        """Bytes to download."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedVariant:
    """A repository or file group that was found and not taken, and why."""

    __pydantic_config__ = STRICT

    repo_id: str
    quantization: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """All variants of one model of the workflow, best quality first."""

    __pydantic_config__ = STRICT

    repo_id: str
    revision: str
    variants: tuple[Variant, ...]
    rejected: tuple[RejectedVariant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCatalog:
    """The variants of every model of a workflow, by the model's name there.

    ``endpoint`` is the Hub that was asked; ``discovered_at`` is UTC in ISO 8601.
    """

    __pydantic_config__ = STRICT

    schema: str = SCHEMA
    endpoint: str
    discovered_at: str
    models: Mapping[str, CatalogEntry] = field(default_factory=dict)
