"""Whether a repository that was found by its name can be a variant of a base model."""

from __future__ import annotations

import re

from cfslurm.core.models.hub import RepoRecord

# What quantizers add to a model's name.
_ADDED = re.compile(
    r"(?:i?q\d(?:_[0-9k](?:_[a-z]+)?)?|[wa]\d+(?:a\d+)?|w\d+a\d+|int\d|fp\d|nvfp4|mxfp4|mxfp8|bf16|fp16|f16"
    r"|\d+-?bits?|g\d+|gs\d+|awq|gptq|gguf|bnb|nf4|marlin|autoround|inc|quark|modelopt|imatrix|i1|ud"
    r"|quantized|quantised|quant|dynamic|static|block|kv|sym|asym|channel|tensor|unsloth|hf)"
)


def plain_name(repo_id: str) -> str:
    """The name of a repository without what quantizers add to it.

    >>> plain_name("RedHatAI/Qwen3-8B-FP8-dynamic"), plain_name("Qwen/Qwen3-8B-Base")
    ('qwen3-8b', 'qwen3-8b-base')
    """
    words = repo_id.partition("/")[2].lower().replace(".gguf", "").split("-")
    return "-".join(word for word in words if not _ADDED.fullmatch(word))


def is_kin(record: RepoRecord, base: RepoRecord, names: tuple[str, ...]) -> bool:
    """True if a repository may be a variant: it names the base, or names none and is called like it.

    ``names`` are all that the base has had. What it names counts more than what it is called:
    ``Qwen3-8B-Base-FP8`` is found by searching for ``Qwen3-8B``, and is another model.
    """
    if record.repo_id == base.repo_id:
        return False
    known = {name.lower() for name in names}
    if record.bases:
        return any(name.lower() in known for name in record.bases)
    return plain_name(record.repo_id) in {plain_name(name) for name in names}
