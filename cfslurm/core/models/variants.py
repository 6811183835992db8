"""Variants of a model: a repository at a commit, a set of files, a quantization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cfslurm.core.documents import STRICT

SCHEMA = "cfslurm.catalog/1"


class Caching(StrEnum):
    """What a layer keeps of the tokens it has seen."""

    FULL = "full"  # keys and values of all tokens
    SLIDING = "sliding"  # keys and values of the last ``window`` tokens
    LATENT = "latent"  # one compressed vector a token (MLA), the same on every GPU
    RECURRENT = "recurrent"  # a state of fixed size for each sequence (Mamba, gated delta net)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerGroup:
    """Layers that cache alike.

    ``key_dim`` and ``value_dim`` are elements of one head of one token; for a latent ``key_dim`` is
    the whole vector. ``fixed_bytes`` are bytes of one token that no cache dtype changes.
    ``state_elements`` and ``conv_elements`` are those of one sequence, over all GPUs together.
    """

    __pydantic_config__ = STRICT

    caching: Caching
    count: int
    num_key_value_heads: int = 0
    key_dim: int = 0
    value_dim: int = 0
    window: int = 0
    fixed_bytes: int = 0
    state_elements: int = 0
    conv_elements: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The shape of a transformer; names as in the Hugging Face config.json.

    ``kv_lora_rank`` is 0 except for latent attention (MLA); ``num_experts`` except for mixtures;
    ``vision_hidden_size`` except for models that see. ``parameters`` is counted from the
    unquantized safetensors headers or their bytes, None where nothing tells. ``layers`` says what
    the layers cache; without any, all of them have full attention. ``assumed`` tells what was not
    known of the model and counted on the safe side, empty if nothing.
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
    q_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    v_head_dim: int = 0
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0
    tie_word_embeddings: bool = False
    vision_hidden_size: int = 0
    image_tokens: int = 0
    layers: tuple[LayerGroup, ...] = ()
    assumed: str = ""
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


# The parts of a model, as far as engines treat their tensors differently; see `WeightsSummary`.
PARTS = (
    "embedding",  # token (and learned position) embeddings: split over GPUs by vocabulary
    "output",  # lm_head; none where it is tied to the embeddings
    "attention",  # projections of attention: split by heads
    "latent",  # the down-projections of latent attention (MLA): every GPU has all of them
    "mlp",  # dense and shared-expert matrices: split
    "experts",  # routed experts: split, or dealt out
    "router",  # which expert takes a token: every GPU has all of it
    "norm",  # every GPU has all of them
    "recurrent",  # state-space and linear-attention layers
    "multimodal",  # vision and audio towers and their projectors
    "mtp",  # layers beyond num_hidden_layers, for multi-token prediction: not loaded for plain decoding
    "other",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSummary:
    """What the headers of the weight files tell of their tensors.

    ``bytes_by_part`` has keys of `PARTS` and only those that occur; its sum is the bytes of all
    tensors, which is less than the bytes of the files by their headers. Scales, zero points and other
    companions of packed weights count in bytes where their weight does, but are no ``parameters``.
    ``parameters_by_dtype`` counts numbers by the dtype they are stored in; several that are packed
    into one stored number are counted one by one.
    """

    __pydantic_config__ = STRICT

    parameters: int
    parameters_by_dtype: Mapping[str, int]
    bytes_by_part: Mapping[str, int]

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(self.bytes_by_part.values())

    def part(self, name: str) -> int:
        """Bytes of one of `PARTS`, 0 where the model has none."""
        return self.bytes_by_part.get(name, 0)

    @property
    def is_output_tied(self) -> bool:
        """True where the embeddings serve as lm_head too: no such tensor is stored."""
        return self.part("output") == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run a model.

    ``revision`` is the 40-digit commit. ``quantization`` is ``none``, a family (``fp8``, ``awq``,
    ``gptq`` …) or for GGUF family and label (``gguf:Q4_K_M``). ``group_size`` is 0 where it has no
    meaning. ``quality`` is 100 for the published checkpoint. ``weights`` is None where the headers of
    the weight files were not read. ``security`` is what the Hub's scanners say of the repository:
    ``""`` (nothing), ``unscanned``, ``safe``, ``suspicious`` or ``unsafe``. ``notes`` are sentences for
    the user, about what is unusual and no reason to refuse.
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
    weights: WeightsSummary | None = field(default=None, hash=False)
    security: str = ""
    notes: tuple[str, ...] = ()

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
    def parameters(self) -> int | None:
        """Numbers that the model has learned: of its own headers, else of the base model; None: untold."""
        return self.weights.parameters if self.weights else self.architecture.parameters

    @property
    def bits_per_weight(self) -> float | None:
        """Mean bits that a parameter takes in the files; None where nobody tells how many there are."""
        count = self.parameters
        return self.weights_bytes * 8 / count if count else None

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
    """All variants of one model of the workflow, best quality first.

    ``notes`` are sentences for the user: that the model has another name now, that a search failed.
    """

    __pydantic_config__ = STRICT

    repo_id: str
    revision: str
    variants: tuple[Variant, ...]
    rejected: tuple[RejectedVariant, ...] = ()
    notes: tuple[str, ...] = ()


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
