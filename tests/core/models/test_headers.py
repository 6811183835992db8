"""Names of tensors, as checkpoints on the Hub have them, and what they add up to."""

from __future__ import annotations

import pytest

from cfslurm.core.models.headers import Tensor, WeightsHeader, part_of, rows_of, summarize
from cfslurm.core.models.variants import PARTS


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("embedding", "model.embed_tokens.weight transformer.wte.weight token_embd.weight wpe.weight "
            "language_model.model.embed_tokens.weight gpt_neox.embed_in.weight"),
        ("output", "lm_head.weight output.weight embed_out.weight language_model.lm_head.weight"),
        ("attention", "model.layers.0.self_attn.q_proj.weight model.layers.0.self_attn.kv_b_proj.weight "
            "transformer.h.0.attn.c_attn.weight blk.0.attn_output.weight model.layers.0.self_attn.sinks "
            "model.layers.0.self_attn.q_b_proj.weight blk.0.attn_kv_b.weight"),
        ("latent", "model.layers.0.self_attn.kv_a_proj_with_mqa.weight blk.3.attn_q_a.weight "
            "model.layers.0.self_attn.q_a_proj.weight_scale_inv blk.3.attn_kv_a_mqa.weight"),
        ("mlp", "model.layers.0.mlp.gate_proj.weight transformer.h.0.mlp.c_fc.weight blk.0.ffn_up.weight "
            "model.layers.5.mlp.shared_experts.up_proj.weight blk.0.ffn_down_shexp.weight"),
        ("experts", "model.layers.3.mlp.experts.12.down_proj.weight blk.1.ffn_gate_exps.weight "
            "model.layers.0.block_sparse_moe.experts.7.w1.qweight model.layers.0.mlp.experts.gate_up_proj_blocks"),
        ("router", "model.layers.3.mlp.gate.weight model.layers.3.mlp.gate.e_score_correction_bias "
            "model.layers.0.block_sparse_moe.gate.weight model.layers.0.mlp.router.weight "
            "blk.0.ffn_gate_inp.weight blk.0.exp_probs_b.bias"),
        ("norm", "model.norm.weight model.layers.0.input_layernorm.weight blk.0.attn_norm.weight "
            "output_norm.weight transformer.ln_f.weight model.layers.0.self_attn.q_norm.weight "
            "model.layers.0.self_attn.kv_a_layernorm.weight blk.3.attn_q_a_norm.weight"),
        ("recurrent", "model.layers.0.mixer.in_proj.weight model.layers.0.linear_attn.A_log "
            "blk.0.ssm_in.weight backbone.layers.3.mamba.conv1d.weight"),
        ("multimodal", "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight "
            "visual.blocks.0.attn.qkv.weight multi_modal_projector.linear_1.weight v.blk.0.attn_k.weight "
            "model.visual.merger.mlp.0.weight image_newline"),
        ("mtp", "mtp.layers.0.mlp.up_proj.weight blk.61.nextn.eh_proj.weight"),
        ("other", "model.rotary_emb.inv_freq something"),
    ],
)  # fmt: skip
def test_part(part: str, names: str) -> None:
    assert {name: part_of(name) for name in names.split()} == dict.fromkeys(names.split(), part)
    assert part in PARTS


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("x.qweight", "packed"),
        ("x.weight_packed", "packed"),
        ("mlp.experts.gate_up_proj_blocks", "packed"),
        ("x.weight", "weight"),
        ("x.bias", "weight"),
        *((f"x.{name}", "companion") for name in (
            "scales", "qzeros", "g_idx", "weight_scale", "weight_scale_inv", "weight_scale_2",
            "weight_zero_point", "weight_shape", "weight_global_scale", "input_global_scale",
            "input_scale", "k_scale", "weight.absmax", "weight.quant_map", "weight.nested_absmax",
            "weight.quant_state.bitsandbytes__nf4", "SCB", "weight_format", "gate_up_proj_scales",
        )),
    ],
)  # fmt: skip
def test_role(name: str, role: str) -> None:
    (row,) = rows_of([Tensor(name, "U8", 1, 1)])
    assert row.role == role


@pytest.mark.parametrize(
    ("tensors", "bits", "parameters"),
    [
        # 256 weights in each of them; sizes as the tools write them.
        ([Tensor("a.weight", "BF16", 256, 512)], 16, 256),
        ([Tensor("a.weight", "F8_E4M3", 256, 256), Tensor("a.weight_scale_inv", "F32", 4, 16)], 8, 256),
        ([Tensor("a.qweight", "I32", 32, 128), Tensor("a.qzeros", "I32", 2, 8)], 4, 256),
        ([Tensor("a.qweight", "I32", 64, 256), Tensor("a.g_idx", "I32", 16, 64)], 8, 256),
        ([Tensor("a.weight_packed", "I32", 32, 128), Tensor("a.weight_shape", "I64", 2, 16)], 4, 256),
        ([Tensor("a.weight_packed", "U8", 128, 128), Tensor("a.weight_scale", "F8_E4M3", 16, 16)], 4, 256),
        ([Tensor("a.weight", "U8", 128, 128), Tensor("a.weight_scale_2", "F32", 1, 4)], 4, 256),
        ([Tensor("a_blocks", "U8", 128, 128), Tensor("a_scales", "U8", 8, 8)], 4, 256),
        ([Tensor("a.weight", "U8", 128, 128), Tensor("a.weight.absmax", "U8", 4, 4)], 4, 256),
        ([Tensor("a.weight", "I8", 256, 256), Tensor("a.SCB", "F32", 16, 64)], 8, 256),
        ([Tensor("blk.0.ffn_up.weight", "Q4_K", 256, 144)], 16, 256),
    ],
)  # fmt: skip
def test_packed_weights_are_counted_one_by_one(
    tensors: list[Tensor], bits: int, parameters: int
) -> None:
    found = summarize([WeightsHeader(rows=rows_of(tensors))], bits=bits, num_hidden_layers=1)
    assert found.parameters == sum(found.parameters_by_dtype.values()) == parameters
    assert found.tensor_bytes == sum(tensor.bytes for tensor in tensors)


def test_layers_beyond_the_last_are_for_multi_token_prediction() -> None:
    names = ["model.layers.60.mlp.gate.weight", "model.layers.61.mlp.gate.weight"]
    seen = "vision_tower.encoder.layers.99.attn.weight"
    rows = rows_of(Tensor(name, "BF16", 1, 2) for name in (*names, seen))
    found = summarize([WeightsHeader(rows=rows)], bits=16, num_hidden_layers=61)
    assert found.bytes_by_part == {"router": 2, "mtp": 2, "multimodal": 2}
    assert found.part("router") == 2
    assert found.part("experts") == 0
    assert found.is_output_tied
