"""Memory of keys, values and recurrent states: what grows with tokens and with sequences.

Source: vllm/v1/kv_cache_interface.py and vllm/v1/core/kv_cache_utils.py; for llama.cpp
src/llama-kv-cache-iswa.cpp; for SGLang --swa-full-tokens-ratio (0.8 by default).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from cfslurm.core.models.engines import Engine, MemoryModel
from cfslurm.core.models.serving import Certainty, Serving, Term, estimate, term
from cfslurm.core.models.variants import Architecture, Caching, LayerGroup
from cfslurm.core.slurm.units import human_bytes

# Bytes of one cached number. Source: vllm/utils/torch_utils.py; block sizes of ggml-common.h.
ELEMENT_BYTES: Mapping[str, float] = {
    "auto": 2, "float16": 2, "bfloat16": 2, "f16": 2, "bf16": 2, "f32": 4,
    "fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "fp8_ds_mla": 1,
    "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32, "q4_0": 18 / 32,
    "iq4_nl": 18 / 32,
}  # fmt: skip
BLOCK_TOKENS = 16
_LLAMACPP_PAD = 256
_LLAMACPP_BATCH = 2048
_SGLANG_SLIDING_SHARE = 0.8
# A latent in FP8 as DeepSeek's kernels keep it: 512 numbers of 8 bit, 4 scales of 32 bit and 64 rotary
# numbers of 16 bit. Source: vllm/v1/attention/backends/mla/flashmla_sparse.py.
_FP8_DS_MLA_BYTES = 656


def layer_groups(architecture: Architecture) -> tuple[LayerGroup, ...]:
    """What the layers cache; full or latent attention in all of them where nothing is told."""
    if architecture.layers:
        return architecture.layers
    latent = architecture.kv_lora_rank
    return (
        LayerGroup(
            caching=Caching.LATENT if latent else Caching.FULL,
            count=architecture.num_hidden_layers,
            num_key_value_heads=architecture.num_key_value_heads,
            key_dim=latent + architecture.qk_rope_head_dim if latent else architecture.head_dim,
            value_dim=0 if latent else architecture.head_dim,
        ),
    )


def kv_cache_bytes_per_token(
    architecture: Architecture, *, tensor_parallel_size: int, kv_cache_dtype: str = "auto"
) -> int:
    """Size on one GPU of what one more token adds: full and latent attention, all layers.

    With more GPUs than KV heads the heads are replicated, so that nothing more is saved; a latent
    (MLA) is replicated on every GPU. Sliding windows and recurrent states do not grow.

    Shape:  keys and values are each [layers, kv_heads, tokens, head_dim].
    Source: vllm/v1/kv_cache_interface.py; field names as in the Hugging Face config.json.

    >>> llama_3_8b = Architecture(model_type="llama", hidden_size=4096, intermediate_size=14336,
    ...     num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, head_dim=128,
    ...     vocab_size=128256, max_position_embeddings=8192)
    >>> kv_cache_bytes_per_token(llama_3_8b, tensor_parallel_size=1)
    131072
    """
    return int(
        sum(
            group.count * token_bytes(group, tensor_parallel_size, kv_cache_dtype)
            for group in layer_groups(architecture)
            if group.caching in {Caching.FULL, Caching.LATENT}
        )
    )


def token_bytes(group: LayerGroup, tensor_parallel_size: int, kv_cache_dtype: str) -> float:
    """Size on one GPU of one token in one layer; 0 for a recurrent one."""
    if group.caching is Caching.RECURRENT:
        return 0.0
    if group.caching is Caching.LATENT:
        if kv_cache_dtype == "fp8_ds_mla":
            return float(_FP8_DS_MLA_BYTES + group.fixed_bytes)
        return group.key_dim * ELEMENT_BYTES[kv_cache_dtype] + group.fixed_bytes
    heads = max(1, ceil(group.num_key_value_heads / tensor_parallel_size))
    return heads * (group.key_dim + group.value_dim) * ELEMENT_BYTES[kv_cache_dtype]


def state_bytes(group: LayerGroup, tensor_parallel_size: int) -> int:
    """Size on one GPU of one sequence's state in one recurrent layer.

    The state is counted in 32 bit, as most models of this kind ask for; the window of the convolution
    in 16 bit. Source: vllm/model_executor/layers/mamba/mamba_utils.py.
    """
    return ceil(group.state_elements / tensor_parallel_size) * 4 + (
        ceil(group.conv_elements / tensor_parallel_size) * 2
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """A group of layers in an engine's cache: how many layers are paid for, and tokens of each."""

    group: LayerGroup
    layers: int
    tokens: int
    layer_bytes: float
    says: str

    @property
    def bytes(self) -> float:
        """All of it on one GPU."""
        return self.layers * self.tokens * self.layer_bytes


def kv_cache_terms(
    architecture: Architecture, serving: Serving, engine: Engine, *, batched_tokens: int
) -> tuple[Term, ...]:
    """What ``max_num_seqs`` sequences of ``max_model_len`` tokens keep on the fullest GPU.

    ``batched_tokens`` is how many an engine may have in work at once: windows slide behind them.
    """
    pools = tuple(_pools(architecture, serving, engine, batched_tokens))
    kept = [pool for pool in pools if pool.group.caching is not Caching.RECURRENT]
    states = [pool for pool in pools if pool.group.caching is Caching.RECURRENT]
    terms = []
    if kept:
        size = sum(pool.bytes for pool in kept)
        said = " + ".join(pool.says for pool in kept)
        terms.append(_kv_term("kv_cache", size, said, architecture))
    if states:
        size = sum(pool.bytes for pool in states)
        said = " + ".join(pool.says for pool in states)
        terms.append(_kv_term("recurrent_state", size, said, architecture))
    return tuple(terms)


def _kv_term(name: str, size: float, formula: str, architecture: Architecture) -> Term:
    if architecture.assumed:
        return estimate(name, size, architecture.assumed, formula, share=(0.05, 1.0))
    source = "config.json and the engine's cache layout"
    return term(name, size, source, formula, Certainty.COMPUTED)


def _pools(
    architecture: Architecture, serving: Serving, engine: Engine, batched_tokens: int
) -> Iterator[_Pool]:
    groups = layer_groups(architecture)
    counts = _paid_layers(groups, engine.memory)
    block = _block_tokens(groups, serving, engine.memory)
    for group, layers in zip(groups, counts, strict=True):
        on_stage = ceil(layers / serving.pipeline_parallel_size)
        if engine.tensor_parallel == "layers":
            on_stage = ceil(layers / serving.gpus)
        split = 1 if engine.tensor_parallel == "layers" else serving.tensor_parallel_size
        if group.caching is Caching.RECURRENT:
            yield _state_pool(group, on_stage, serving, block, split)
            continue
        tokens = _tokens(group, serving, engine.memory, batched_tokens, block)
        each = token_bytes(group, split, serving.kv_cache_dtype)
        yield _Pool(
            group=group,
            layers=on_stage,
            tokens=tokens,
            layer_bytes=each,
            says=f"{on_stage} layers x {each:g} B x {tokens} tokens ({group.caching})",
        )


def _state_pool(
    group: LayerGroup, layers: int, serving: Serving, block: _Block, split: int
) -> _Pool:
    each = max(state_bytes(group, split), block.state_page_bytes)
    return _Pool(
        group=group,
        layers=layers,
        tokens=serving.max_num_seqs,
        layer_bytes=each,
        says=f"{layers} layers x {human_bytes(each)} x {serving.max_num_seqs} sequences",
    )


def _paid_layers(groups: tuple[LayerGroup, ...], memory: MemoryModel) -> list[int]:
    """Layers of each group that the cache has room for; vLLM fills up to equal groups.

    Source: vllm/v1/core/kv_cache_utils.py: groups are as large as the smallest kind, or as the
        largest where that is less than 1.25 times as large; kinds are padded to whole groups.
    """
    counts = [group.count for group in groups]
    if memory is not MemoryModel.PAGED or len(counts) < 2:
        return counts
    least, most = min(counts), max(counts)
    size = most if most < least * 1.25 else least
    return [ceil(count / size) * size for count in counts]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Tokens of a page, and what a page of a recurrent layer takes, padded to the same size."""

    tokens: int
    state_page_bytes: int = 0


def _block_tokens(groups: tuple[LayerGroup, ...], serving: Serving, memory: MemoryModel) -> _Block:
    """Pages of attention are made as large as those of a recurrent state, in vLLM.

    Source: vllm/model_executor/models/config.py (HybridAttentionMambaModelConfig).
    """
    if memory is not MemoryModel.PAGED:
        return _Block(tokens=1)
    size = serving.tensor_parallel_size
    states = [state_bytes(g, size) for g in groups if g.caching is Caching.RECURRENT]
    each = [token_bytes(g, size, serving.kv_cache_dtype) for g in groups]
    largest = max(each, default=0.0)
    if not states or not largest:
        return _Block(tokens=BLOCK_TOKENS)
    tokens = ceil(max(states) / largest / BLOCK_TOKENS) * BLOCK_TOKENS
    return _Block(tokens=tokens, state_page_bytes=ceil(tokens * largest))


def _tokens(
    group: LayerGroup, serving: Serving, memory: MemoryModel, batched: int, block: _Block
) -> int:
    """Tokens of all sequences that one layer keeps."""
    length, sequences = serving.max_model_len, serving.max_num_seqs
    if memory is MemoryModel.BUFFERS:
        full = ceil(length * sequences / _LLAMACPP_PAD) * _LLAMACPP_PAD
        if group.caching is not Caching.SLIDING:
            return full
        window = group.window * sequences + _LLAMACPP_BATCH
        return min(full, ceil(window / _LLAMACPP_PAD) * _LLAMACPP_PAD)
    if group.caching is not Caching.SLIDING:
        return ceil(length / block.tokens) * block.tokens * sequences
    if memory is MemoryModel.STATIC:
        return max(1, ceil(length * sequences * _SGLANG_SLIDING_SHARE))
    if memory is MemoryModel.DYNAMIC:
        return min(group.window, length) * sequences
    return _paged_window(group.window, length, sequences, batched, block.tokens)


def _paged_window(window: int, length: int, sequences: int, batched: int, block: int) -> int:
    """Tokens of a sliding layer in vLLM: windows, and what is in work at once before they slide on.

    Source: SlidingWindowSpec.max_memory_usage_bytes: one request holds window - 1 tokens and those in
        work, rounded up to blocks, and one block for a window that does not begin at one. Tokens in
        work are shared by all requests.
    """
    whole = ceil(length / block) * block
    one = min(whole, (ceil(min(window - 1 + batched, length) / block) + 1) * block)
    behind = min(whole, (ceil(min(window - 1, length) / block) + 1) * block)
    return min(one * sequences, behind * sequences + ceil(batched / block) * block)
