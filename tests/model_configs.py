"""The fields of published config.json files that say how much memory a model needs.

Source: the repositories on the Hub that the names stand for; fields that no reader looks at are left out.
"""

from __future__ import annotations

from cfslurm.core.documents import Json
from cfslurm.core.models.architecture import read_architecture
from cfslurm.core.models.variants import Architecture


def _decoder(
    kind: str, hidden: int, inner: int, layers: int, heads: tuple[int, int], vocab: int, length: int
) -> dict[str, Json]:
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "vocab_size": vocab,
        "max_position_embeddings": length,
        "torch_dtype": "bfloat16",
    }


_GPT_OSS: dict[str, Json] = {
    **_decoder("gpt_oss", 2880, 2880, 24, (64, 8), 201088, 131072),
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "experts_per_token": 4,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "quantization_config": {"quant_method": "mxfp4"},
}
CONFIGS: dict[str, dict[str, Json]] = {
    "Llama-3.1-8B": _decoder("llama", 4096, 14336, 32, (32, 8), 128256, 131072),
    "Llama-3.1-70B": _decoder("llama", 8192, 28672, 80, (64, 8), 128256, 131072),
    "Llama-3.1-405B": _decoder("llama", 16384, 53248, 126, (128, 8), 128256, 131072),
    "DeepSeek-Coder-33B": _decoder("llama", 7168, 19200, 62, (56, 8), 32256, 16384),
    "Mixtral-8x7B": {
        **_decoder("mixtral", 4096, 14336, 32, (32, 8), 32000, 32768),
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "sliding_window": None,
    },
    "Qwen2.5-7B": {
        **_decoder("qwen2", 3584, 18944, 28, (28, 4), 152064, 32768),
        "sliding_window": 131072,
        "use_sliding_window": False,
        "max_window_layers": 28,
    },
    "Qwen3-30B-A3B": {
        **_decoder("qwen3_moe", 2048, 6144, 48, (32, 4), 151936, 40960),
        "head_dim": 128,
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "sliding_window": None,
        "use_sliding_window": False,
    },
    "Qwen3-Next-80B": {
        **_decoder("qwen3_next", 2048, 5120, 48, (16, 2), 151936, 262144),
        "head_dim": 256,
        "full_attention_interval": 4,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
        "moe_intermediate_size": 512,
        "num_experts": 512,
        "num_experts_per_tok": 10,
    },
    "Qwen2.5-3B": {
        **_decoder("qwen2", 2048, 11008, 36, (16, 2), 151936, 32768),
        "sliding_window": 32768,
        "use_sliding_window": False,
    },
    "Qwen3.5-27B": {
        **_decoder("qwen3_5_text", 5120, 17408, 64, (24, 4), 248320, 262144),
        "head_dim": 256,
        "full_attention_interval": 4,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 48,
        "linear_value_head_dim": 128,
    },
    "Phi-3-mini": {
        **_decoder("phi3", 3072, 8192, 32, (32, 32), 32064, 131072),
        "sliding_window": None,
    },
    "DeepSeek-V3": {
        **_decoder("deepseek_v3", 7168, 18432, 61, (128, 128), 129280, 163840),
        "kv_lora_rank": 512,
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "moe_intermediate_size": 2048,
        "n_routed_experts": 256,
        "num_experts_per_tok": 8,
        "quantization_config": {
            "activation_scheme": "dynamic",
            "fmt": "e4m3",
            "quant_method": "fp8",
            "weight_block_size": [128, 128],
        },
    },
    "gpt-oss-20b": _GPT_OSS,
    "gpt-oss-120b": {
        **_GPT_OSS,
        "num_hidden_layers": 36,
        "num_local_experts": 128,
        "layer_types": ["sliding_attention", "full_attention"] * 18,
    },
    "Gemma-3-27B": {
        "model_type": "gemma3",
        "mm_tokens_per_image": 256,
        "text_config": {
            "head_dim": 128,
            "hidden_size": 5376,
            "intermediate_size": 21504,
            "model_type": "gemma3_text",
            "num_attention_heads": 32,
            "num_hidden_layers": 62,
            "num_key_value_heads": 16,
            "sliding_window": 1024,
        },
        "vision_config": {
            "hidden_size": 1152,
            "image_size": 896,
            "patch_size": 14,
            "num_hidden_layers": 27,
        },
    },
    "Llama-4-Scout": {
        "model_type": "llama4",
        "text_config": {
            **_decoder("llama4_text", 5120, 8192, 48, (40, 8), 202048, 10485760),
            "head_dim": 128,
            "num_local_experts": 16,
            "num_experts_per_tok": 1,
            "attention_chunk_size": 8192,
            "no_rope_layers": [1, 1, 1, 0] * 12,
        },
        "vision_config": {"hidden_size": 1408, "image_size": 336, "patch_size": 14},
    },
    "LLaVA-NeXT-34B": {
        "model_type": "llava_next",
        "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
        "text_config": {
            **_decoder("llama", 7168, 20480, 60, (56, 8), 64064, 4096),
            "torch_dtype": "float16",
        },
        "vision_config": {"hidden_size": 1024, "image_size": 336, "patch_size": 14},
    },
    "LLaVA-NeXT-Mistral-7B": {
        "model_type": "llava_next",
        "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
        "text_config": {
            "intermediate_size": 14336,
            "max_position_embeddings": 32768,
            "model_type": "mistral",
            "num_key_value_heads": 8,
            "sliding_window": None,
            "vocab_size": 32064,
        },
        "vision_config": {"hidden_size": 1024, "image_size": 336, "patch_size": 14},
    },
}


def architecture_of(repo: str, *, model_type: str = "") -> Architecture:
    """The architecture of one of `CONFIGS`, under another model type if one is given."""
    config = dict(CONFIGS[repo])
    if model_type:
        nested = config.get("text_config")
        if isinstance(nested, dict):
            config["text_config"] = {**nested, "model_type": model_type}
        config["model_type"] = model_type
    found = read_architecture(config)
    assert isinstance(found, Architecture), found
    return found
