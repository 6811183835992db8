"""Models that engines know by themselves, so that code in their repository is not needed."""

from __future__ import annotations

from collections.abc import Mapping

from cfslurm.core.documents import Json

# Model types that vLLM and transformers load without trust_remote_code, although some repositories
# still carry the code from before (``auto_map``). Source: transformers 4.57, CONFIG_MAPPING_NAMES, those
# of language models; vLLM 0.33, model_executor/models/registry.py.
_NAMES = """
    apertus arcee aria aya_vision bamba bloom chameleon codegen cohere cohere2 cohere2_vision dbrx
    deepseek_v2 deepseek_v3 deepseek_v32 deepseek_vl dots1 emu3 ernie4_5 ernie4_5_moe exaone4 falcon
    falcon_h1 falcon_mamba flex_olmo gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text glm glm4
    glm4_moe glm4v glm4v_moe got_ocr2 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_oss gptj granite granite_speech
    granitemoe granitemoehybrid granitemoeshared helium hunyuan_v1_dense hunyuan_v1_moe idefics2 idefics3
    internvl jamba jetmoe kimi_k2 kimi_linear kimi_vl lfm2 lfm2_moe lfm2_vl llama llama4 llama4_text llava
    llava_next llava_onevision longcat_flash mamba mamba2 minicpm minicpm3 minicpmo minicpmv minimax
    minimax_m2 mistral mistral3 mixtral mllama modernbert molmo mpt nemotron nemotron_h olmo olmo2 olmo3
    olmoe opt ovis2 paligemma persimmon phi phi3 phi4_multimodal phimoe pixtral qwen2 qwen2_5_omni
    qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl
    qwen3_vl_moe recurrent_gemma seed_oss smollm3 smolvlm solar stablelm starcoder2 step3 vipllava voxtral
    xlstm zamba zamba2
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
