"""GGUF files of made-up models, as llama.cpp lays out a mixture of experts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from tests.hub.shapes import EXPERT_WIDTH, HEAD_DIM, HEADS, HIDDEN, KV_HEADS, Shape
from tests.hub.weights import Noise

Kind = gguf.GGMLQuantizationType
_FILE_TYPES = {
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "Q4_K_M": gguf.LlamaFileType.MOSTLY_Q4_K_M,
    "Q5_0": gguf.LlamaFileType.MOSTLY_Q5_0,
}
# A block's scales, as fp16, so that the numbers come out between about -0.06 and 0.06.
_SCALES = {Kind.Q8_0: (2.0**-12,), Kind.Q5_0: (2.0**-9,), Kind.Q4_K: (2.0**-15, 2.0**-12)}


def tensors_of(shape: Shape, label: str, seed: int) -> Iterator[tuple[str, Kind, npt.NDArray]]:  # type: ignore[type-arg]
    """Names, GGML types and raw blocks of all tensors, one-dimensional ones in 32 bit."""
    noise = Noise(seed)
    for name, size in _sizes(shape):
        if len(size) == 1 or name.endswith("ffn_gate_inp.weight"):
            yield name, Kind.F32, np.full(size, 2.0**-6, dtype=np.float32)
        else:
            kind = _kind(name, label, size[-1])
            yield name, kind, _blocks(noise, kind, size)


def _sizes(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, narrow = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    yield "token_embd.weight", (shape.vocab, HIDDEN)
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", (HIDDEN,)
        yield f"{block}.attn_q.weight", (width, HIDDEN)
        yield f"{block}.attn_k.weight", (narrow, HIDDEN)
        yield f"{block}.attn_v.weight", (narrow, HIDDEN)
        yield f"{block}.attn_output.weight", (HIDDEN, width)
        yield f"{block}.ffn_norm.weight", (HIDDEN,)
        yield f"{block}.ffn_gate_inp.weight", (shape.experts, HIDDEN)
        yield f"{block}.ffn_gate_exps.weight", (shape.experts, EXPERT_WIDTH, HIDDEN)
        yield f"{block}.ffn_up_exps.weight", (shape.experts, EXPERT_WIDTH, HIDDEN)
        yield f"{block}.ffn_down_exps.weight", (shape.experts, HIDDEN, EXPERT_WIDTH)
    yield "output_norm.weight", (HIDDEN,)
    yield "output.weight", (shape.vocab, HIDDEN)


def _kind(name: str, label: str, columns: int) -> Kind:
    """The type of a tensor; rows that K-quants cannot cut fall back as llama-quantize does it."""
    if label == "Q4_K_M":
        if name in {"token_embd.weight", "output.weight"}:
            return Kind.Q8_0
        return Kind.Q4_K if columns % 256 == 0 else Kind.Q5_0
    return Kind[label]


def _blocks(noise: Noise, kind: Kind, size: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    *rows, columns = size
    blocks = noise.bytes(*rows, columns // elements, block_bytes)
    for index, scale in enumerate(_SCALES[kind]):
        blocks[..., 2 * index : 2 * index + 2] = np.array([scale], dtype=np.float16).view(np.uint8)
    return blocks.reshape(*rows, columns // elements * block_bytes)


def write_gguf(folder: Path, stem: str, shape: Shape, label: str, *, seed: int, parts: int) -> None:
    """Write one quantization, in one file or split as llama-gguf-split does it."""
    tensors = list(tensors_of(shape, label, seed))
    size = -(-len(tensors) // parts)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(parts):
        suffix = f"-{number + 1:05}-of-{parts:05}" if parts > 1 else ""
        writer = gguf.GGUFWriter(folder / f"{stem}-{label}{suffix}.gguf", "llama")
        if number == 0:
            _describe(writer, shape, label)
        if parts > 1:
            writer.add_uint16("split.no", number)
            writer.add_uint16("split.count", parts)
            writer.add_int32("split.tensors.count", len(tensors))
        for name, kind, data in tensors[number * size : (number + 1) * size]:
            writer.add_tensor(name, data, raw_dtype=kind)
        _finish(writer)


def write_extra(path: Path, kind: str) -> None:
    """Write a GGUF file that is no model: an importance matrix or a vision projector."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_string("general.type", kind)
    writer.add_tensor("mm.0.weight", np.zeros((HIDDEN, HIDDEN), dtype=np.float32))
    _finish(writer)


def _describe(writer: gguf.GGUFWriter, shape: Shape, label: str) -> None:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    writer.add_name("made up")
    writer.add_file_type(_FILE_TYPES[label])
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(EXPERT_WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_expert_count(shape.experts)
    writer.add_expert_used_count(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocab)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens[: shape.vocab])


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
