"""A variant as ``--json`` prints it."""

from __future__ import annotations

from cfslurm.core.documents import Json, to_json
from cfslurm.core.models.variants import Variant


def variant_row(variant: Variant, folder: str) -> dict[str, Json]:
    """A variant without its files; ``folder`` is where it lies in the model cache, empty if nowhere."""
    weights = variant.weights
    return {
        "id": variant.id,
        "repo_id": variant.repo_id,
        "revision": variant.revision,
        "quantization": variant.quantization,
        "format": "gguf" if variant.family == "gguf" else "safetensors",
        "dtype": variant.dtype,
        "group_size": variant.group_size,
        "total_bytes": variant.total_bytes,
        "weights_bytes": variant.weights_bytes,
        "files": len(variant.files),
        "parameters": variant.parameters,
        "bits_per_weight": variant.bits_per_weight,
        "quality": variant.quality,
        "quality_source": variant.quality_source,
        "licence": variant.licence,
        "is_gated": variant.is_gated,
        "is_private": variant.is_private,
        "security": variant.security,
        "notes": list(variant.notes),
        "parameters_by_dtype": to_json(weights.parameters_by_dtype) if weights else None,
        "bytes_by_part": to_json(weights.bytes_by_part) if weights else None,
        "architecture": to_json(variant.architecture),
        "folder": folder,
    }
