"""Models that engines know by themselves, so that code in their repository is not needed."""

from __future__ import annotations

from collections.abc import Mapping

from cfslurm.core.documents import Json

# Model types that transformers 5, and vLLM with it, load without trust_remote_code, although some
# repositories still carry the code from before (``auto_map``). Those whose tokenizer is code as well
# (Kimi's, MiniCPM's) are not among them. Source: transformers, models/auto, CONFIG_MAPPING_NAMES of
# 4.57.6 and 5; vLLM, transformers_utils/config.py, _CONFIG_REGISTRY, and tests/models/registry.py.
_NAMES = """
    afmoe apertus arcee aria aya_vision bamba biogpt bitnet bloom chameleon code_llama codegen
    cohere cohere2 cohere2_vision cwm dbrx deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4
    deepseek_vl diffllama doge dots1 emu3 ernie4_5 ernie4_5_moe exaone4 falcon falcon_h1
    falcon_mamba flex_olmo gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text glm glm4 glm46v
    glm4_moe glm4_moe_lite glm4v glm4v_moe got_ocr2 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_oss gptj
    granite granite_speech granitemoe granitemoehybrid granitemoeshared helium hunyuan_v1_dense
    hunyuan_v1_moe idefics2 idefics3 internvl jais2 jamba janus jetmoe lfm2 lfm2_moe lfm2_vl llama
    llama4 llama4_text llava llava_next llava_next_video llava_onevision longcat_flash mamba mamba2
    mimo_v2_flash minimax minimax_m2 ministral ministral3 mistral mistral3 mistral4 mixtral mllama
    modernbert mpt nanochat nemotron nemotron_h olmo olmo2 olmo3 olmo_hybrid olmoe opt ovis2
    paligemma perception_lm persimmon phi phi3 phi4_multimodal phimoe pixtral qwen2 qwen2_5_omni
    qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_5 qwen3_5_moe qwen3_5_moe_text
    qwen3_5_text qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe recurrent_gemma seed_oss
    smollm3 smolvlm solar_open stablelm starcoder2 step3p5 vipllava voxtral xlstm zamba zamba2
"""
_NATIVE = frozenset(_NAMES.split())


def needs_code(config: Mapping[str, Json]) -> bool:
    """True if a model cannot be loaded without code from its repository."""
    model_type = config.get("model_type")
    is_native = isinstance(model_type, str) and model_type in _NATIVE
    return has_code(config) and not is_native


def has_code(config: Mapping[str, Json]) -> bool:
    """True if a repository brings code, needed or not."""
    return bool(config.get("auto_map"))
