"""Seconds of one forward pass: what it must move and compute, over what a GPU can do of it.

Formulas (Williams et al., "Roofline", CACM 2009; for decoding Pope et al., arXiv:2211.05102). E is an
`Efficiency`, W the bytes of the weights that a step reads, A the parameters that a token uses:

    decode step  = [ (W / (TP x bandwidth x E.weight_read))^4 + (2 A b / (TP x rate x E.decode))^4 ]^(1/4)
                   + b x context x KV / (bandwidth x E.kv_read) + all-reduces(b)
                   + overhead + b x E.sequence_s
    prefill(n)   = max(2 A n / (TP x rate x E.prefill), W / (TP x bandwidth x E.weight_read))
                   + attention(n) + all-reduces(n) + overhead
    all-reduces  = 2 layers [ E.hop_s (1 + 0.15 log2 TP) + 2 (TP-1)/TP x 2 n hidden / (0.7 link) ]
    overhead     = E.step_s + layers x E.layer_s

The fourth power is a smooth maximum: reading and computing overlap, yet not fully where they are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Literal

from cfslurm.core.hardware.gpus import GpuFacts
from cfslurm.core.models.variants import Architecture

LINK_EFFICIENCY = 0.7
ATTENTION_EFFICIENCY = 0.45  # of the 16-bit rate, FlashAttention 2: Dao, arXiv:2307.08691, figure 4
_PIPELINE_MOST = 1.8 / 1.15  # what pipeline stages may add to throughput; an assumption, not fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """What an engine reaches of what a GPU could do, by name.

    Units: the first four are shares of the card's bandwidth or rate; the others seconds, for each
        step, each layer of a step, each sequence of a step, and each all-reduce.
    """

    weight_read: float
    kv_read: float
    prefill: float
    decode: float
    step_s: float
    layer_s: float
    sequence_s: float
    hop_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedLayers:
    """What layers of one kind read of the cache for one sequence: ``min(context, window)`` tokens.

    ``window`` is 0 for all tokens. A recurrent state is one token of its size.
    """

    bytes_per_token: float
    window: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWork:
    """What one forward pass of a model moves and computes.

    Units: ``dense_bytes`` are weights that every step reads, ``expert_bytes`` those of all experts
        together, over all GPUs; ``cache`` is on one GPU; ``active_parameters`` are those a token uses.
    """

    num_layers: int
    hidden_size: int
    attention_width: int
    active_parameters: float
    dense_bytes: float
    expert_bytes: float
    num_experts: int
    num_experts_per_tok: int
    cache: tuple[CachedLayers, ...]

    def weights_read(self, tokens: int) -> float:
        """Bytes that a step with so many tokens reads: each token picks its experts at random."""
        if not self.num_experts:
            return self.dense_bytes
        untouched = (1 - self.num_experts_per_tok / self.num_experts) ** tokens
        return self.dense_bytes + self.expert_bytes * (1 - untouched)

    def cache_read(self, context: float) -> float:
        """Bytes of the cache that a step reads on one GPU for a sequence of some length."""
        return sum(
            layers.bytes_per_token * (min(context, layers.window) if layers.window else context)
            for layers in self.cache
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """GPUs that run one copy of a model, and how it is split over them.

    ``tflops`` is the dense rate of the arithmetic that is used, 10^12 operations/s. Split by layers,
    one GPU works after the other; each of ``pipeline_parallel_size`` stages has
    ``tensor_parallel_size`` GPUs.
    """

    gpu: GpuFacts
    tflops: float
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    split: Literal["heads", "layers"] = "heads"

    @property
    def together(self) -> int:
        """GPUs that work on the same layer at the same time."""
        return 1 if self.split == "layers" else self.tensor_parallel_size

    @property
    def bandwidth(self) -> float:
        """Bytes/s of one GPU's memory."""
        return max(self.gpu.bandwidth_gbs, 1e-3) * 1e9

    @property
    def stage_gain(self) -> float:
        """By how much stages that work on different sequences raise the throughput."""
        return min(float(self.pipeline_parallel_size), _PIPELINE_MOST)


def decode_step_s(
    work: StepWork, place: Placement, reached: Efficiency, *, sequences: int, context: float
) -> float:
    """Seconds until each of ``sequences`` has one token more."""
    gpus = place.together
    reading = work.weights_read(sequences) / (gpus * place.bandwidth * reached.weight_read)
    rate = gpus * max(place.tflops, 1e-3) * 1e12 * reached.decode
    computing = 2 * work.active_parameters * sequences / rate
    cache = sequences * work.cache_read(context) / (place.bandwidth * reached.kv_read)
    busiest: float = (reading**4 + computing**4) ** 0.25
    return (
        busiest
        + cache
        + all_reduces_s(work, place, reached, tokens=sequences)
        + overhead_s(work, reached)
        + sequences * reached.sequence_s
    )


def prefill_s(
    work: StepWork, place: Placement, reached: Efficiency, *, prompts: int, tokens: int
) -> float:
    """Seconds to read ``prompts`` prompts of ``tokens`` tokens each, without the cached part."""
    if not tokens or not prompts:
        return 0.0
    gpus, total = place.together, prompts * tokens
    computing = 2 * work.active_parameters * total
    computing /= gpus * max(place.tflops, 1e-3) * 1e12 * reached.prefill
    reading = work.weights_read(total) / (gpus * place.bandwidth * reached.weight_read)
    scores = 2.0 * work.num_layers * total * tokens * work.attention_width
    scores /= gpus * max(place.gpu.fp16_tflops, 1e-3) * 1e12 * ATTENTION_EFFICIENCY
    return (
        max(computing, reading)
        + scores
        + all_reduces_s(work, place, reached, tokens=total)
        + overhead_s(work, reached)
    )


def overhead_s(work: StepWork, reached: Efficiency) -> float:
    """Launches, scheduling and sampling of one step."""
    return reached.step_s + work.num_layers * reached.layer_s


def all_reduces_s(work: StepWork, place: Placement, reached: Efficiency, *, tokens: int) -> float:
    """Two all-reduces a layer: a latency for each, and the 16-bit hidden state over the link."""
    size = place.together
    if size == 1:
        return 0.0
    link = max(place.gpu.link_gbs, 1.0) * 1e9 * LINK_EFFICIENCY
    moved = 2 * (size - 1) / size * 2 * tokens * work.hidden_size
    return 2 * work.num_layers * (reached.hop_s * (1 + 0.15 * log2(size)) + moved / link)


def expert_parameters(architecture: Architecture) -> int:
    """Parameters of all routed experts; each has three matrices of hidden x intermediate.

    Source: transformers, MixtralSparseMoeBlock and Qwen3MoeExperts: gate, up and down.
    """
    if not architecture.num_experts:
        return 0
    width = architecture.moe_intermediate_size or architecture.intermediate_size
    each = 3 * architecture.hidden_size * width
    return architecture.num_hidden_layers * architecture.num_experts * each


def embedding_parameters(architecture: Architecture) -> int:
    """Parameters of the table of token embeddings, of which a step reads only a few rows."""
    return architecture.vocab_size * architecture.hidden_size


def parameters(architecture: Architecture) -> int:
    """All parameters: as counted in the files if they tell, else from the shape (a few percent off).

    >>> parameters(Architecture(model_type="llama", hidden_size=4096, intermediate_size=14336,
    ...     num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, head_dim=128,
    ...     vocab_size=128256, max_position_embeddings=8192)) // 10**7
    802
    """
    if architecture.parameters:
        return architecture.parameters
    hidden, layers = architecture.hidden_size, architecture.num_hidden_layers
    heads = 2 * architecture.num_attention_heads + 2 * architecture.num_key_value_heads
    body = layers * hidden * heads * architecture.head_dim
    experts = expert_parameters(architecture)
    body += experts or layers * 3 * hidden * architecture.intermediate_size
    tables = 1 if architecture.tie_word_embeddings else 2
    return body + tables * embedding_parameters(architecture)
