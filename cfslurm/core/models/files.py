"""Which files of a repository a variant consists of. File names come from strangers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cfslurm.core.documents import Json
from cfslurm.core.models.hub import FileRecord
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import ModelFile

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
HF_QUANT_CONFIG = "hf_quant_config.json"
MANIFEST = "cfslurm.lock.json"

# What an engine reads besides the weights. Never taken: pickles, Python code, original/, onnx.
_COMPANIONS = re.compile(
    r"config\.json|generation_config\.json|hf_quant_config\.json|quantize_config\.json"
    r"|tokenizer[\w.-]*\.(?:json|model)|vocab\.(?:json|txt)|merges\.txt|special_tokens_map\.json"
    r"|added_tokens\.json|chat_template[\w.-]*\.(?:json|jinja)|model\.safetensors\.index\.json"
    r"|(?:video_)?preprocessor_config\.json|processor_config\.json|tekken\.json|params\.json"
)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


def unsafe(path: str) -> str:
    """Why a file name from the Hub may not become a path on this machine; empty if it may.

    >>> unsafe("model.safetensors"), unsafe("../x")
    ('', 'it leaves its folder')
    """
    parts = path.split("/")
    if not path or len(path) > 1024 or any(len(part.encode(*_UTF8)) > 200 for part in parts):
        return "it is empty or too long"
    if not path.isprintable() or "\\" in path:
        return "it has characters that no file name needs"
    if any(part in {"", ".", ".."} for part in parts):
        return "it leaves its folder"
    if parts[0] in {MANIFEST, ".cache"}:
        return "cfslurm keeps that name for itself"
    return ""


_UTF8 = ("utf-8", "replace")


def safetensors_files(
    files: Sequence[FileRecord], index: Json | None
) -> tuple[ModelFile, ...] | Refusal:
    """The files of a variant with safetensors weights, sorted by path.

    Weights are the shards that the index names; else ``model.safetensors``; else all safetensors at
    the top except ``consolidated*`` (the same weights once more) and adapters.
    """
    top = {file.path: file for file in files if "/" not in file.path}
    names = _shards(index) if INDEX in top else _unindexed(top)
    if isinstance(names, Refusal):
        return names
    missing = sorted(set(names) - set(top))
    if missing:
        return Refusal(f"{INDEX} names {missing[0][:80]!r}, which the repository lacks")
    if not names:
        return Refusal(_no_weights(top))
    companions = [path for path in top if _COMPANIONS.fullmatch(path)]
    return model_files([top[path] for path in (*names, *companions)], weights=names)


def _shards(index: Json | None) -> tuple[str, ...] | Refusal:
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        return Refusal(f"{INDEX} has no weight_map")
    names = {name if isinstance(name, str) else "" for name in weight_map.values()}
    wrong = sorted(name for name in names if not name.endswith(".safetensors") or "/" in name)
    if wrong:
        return Refusal(f"{INDEX} names {wrong[0][:80]!r}, which is no safetensors file")
    return tuple(sorted(names))


def _unindexed(top: Mapping[str, FileRecord]) -> tuple[str, ...]:
    if "model.safetensors" in top:
        return ("model.safetensors",)
    return tuple(
        sorted(
            path
            for path in top
            if path.endswith(".safetensors") and not path.startswith(("consolidated", "adapter_"))
        )
    )


def _no_weights(top: Iterable[str]) -> str:
    names = tuple(top)
    if any(name.startswith("consolidated") and name.endswith(".safetensors") for name in names):
        return "it has its weights only as consolidated.safetensors, which cfslurm does not load"
    if any(name.startswith("adapter_") for name in names):
        return "it is an adapter, not a model"
    if any(name.endswith(_PICKLES) for name in names):
        return "it has its weights only as pickles, which cfslurm does not load"
    return "it has no weights"


def model_files(
    files: Iterable[FileRecord], *, weights: Iterable[str]
) -> tuple[ModelFile, ...] | Refusal:
    """Files as a variant lists them, sorted by path; refused where a name or a hash is wrong."""
    loaded = frozenset(weights)
    chosen = []
    for file in sorted(files, key=lambda file: file.path):
        if reason := unsafe(file.path):
            return Refusal(f"the file name {file.path[:80]!r} is refused: {reason}")
        has_sha256 = _SHA256.fullmatch(file.sha256) is not None
        has_sha1 = _SHA1.fullmatch(file.git_sha1) is not None
        if has_sha256 == has_sha1:
            return Refusal(f"the Hub gives no hash of {file.path[:80]!r}")
        chosen.append(
            ModelFile(
                path=file.path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                git_sha1=file.git_sha1,
                is_weights=file.path in loaded,
            )
        )
    return tuple(chosen)
