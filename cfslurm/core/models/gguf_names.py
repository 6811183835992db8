"""GGUF repositories: many quantizations side by side, told apart by their file names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cfslurm.core.models.hub import FileRecord
from cfslurm.core.models.refusal import Refusal

# Source: huggingface.js, packages/tasks/src/gguf.ts, GGMLFileQuantizationType; MXFP4 without _MOE as
# ggml-org publishes it. Longer names first, so that Q4_K_M is not read as something shorter.
_LABELS = (
    "Q4_1_SOME_F16", "MXFP4_MOE", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "IQ2_XXS", "IQ3_XXS", "Q2_K_XL",
    "Q3_K_XL", "Q4_K_XL", "Q5_K_XL", "Q6_K_XL", "Q8_K_XL", "IQ1_M", "IQ1_S", "IQ2_M", "IQ2_S",
    "IQ2_XS", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ4_NL", "IQ4_XS", "Q2_K_S", "Q3_K_L", "Q3_K_M", "Q3_K_S",
    "Q4_K_M", "Q4_K_S", "Q5_K_M", "Q5_K_S", "TQ1_0", "TQ2_0", "NVFP4", "MXFP4", "BF16", "Q2_K", "Q4_0",
    "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q6_K", "Q8_0", "Q1_0", "F32", "F16",
)  # fmt: skip
_LABEL = re.compile(rf"(?:UD-)?(?:{'|'.join(_LABELS)})(?:_[A-Z]+)?")
_SPLIT = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
# Not models: vision projectors, importance matrices, draft models, adapters.
_OTHER = re.compile(r"mmproj|imatrix|(?:^|[-_.])(?:draft|dspark|mtp|lora|adapter)(?:$|[-_.])")
_PROJECTOR = re.compile(r"(?:^|/)[^/]*mmproj[^/]*\.gguf$")


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufGroup:
    """The file or the split files of one quantization, in the order of their numbers.

    ``label`` is what the name tells, empty where it tells nothing: the header decides.
    """

    label: str
    files: tuple[FileRecord, ...]


def gguf_label(path: str) -> str:
    """The quantization that a file name tells: the last one named, else that of its folder.

    >>> gguf_label("Llama-3-F16-Q4_K_M.gguf"), gguf_label("UD-Q4_K_XL/x-00001-of-00002.gguf")
    ('Q4_K_M', 'UD-Q4_K_XL')
    """
    for part in reversed(path.upper().split("/")):
        if found := _LABEL.findall(part):
            return str(found[-1])
    return ""


def gguf_groups(
    files: Iterable[FileRecord],
) -> tuple[tuple[GgufGroup, ...], tuple[tuple[str, Refusal], ...]]:
    """The quantizations of a repository, and what was refused: path or label, and why.

    Source: llama.cpp's llama-gguf-split: parts are numbered from 1, all are needed to load one.
    """
    stems: dict[str, list[FileRecord]] = {}
    for file in sorted(files, key=lambda file: file.path):
        name = file.path.rpartition("/")[2].lower()
        if name.endswith(".gguf") and not _OTHER.search(name.removesuffix(".gguf")):
            split = _SPLIT.fullmatch(file.path)
            stems.setdefault(split[1] if split else file.path, []).append(file)
    groups: list[GgufGroup] = []
    refused: list[tuple[str, Refusal]] = []
    for stem, parts in stems.items():
        found = _group(parts)
        if isinstance(found, Refusal):
            refused.append((gguf_label(stem) or stem[:80], found))
        else:
            groups.append(found)
    return tuple(sorted(groups, key=lambda group: (group.label, group.files[0].path))), tuple(
        refused
    )


def projectors(files: Iterable[FileRecord]) -> tuple[str, ...]:
    """The vision projectors of a repository: no models, but what a model that sees needs besides."""
    return tuple(sorted(file.path for file in files if _PROJECTOR.search(file.path.lower())))


def _group(parts: list[FileRecord]) -> GgufGroup | Refusal:
    numbers = [_SPLIT.fullmatch(part.path) for part in parts]
    expected = {match[3] for match in numbers if match}
    if expected:
        count = int(max(expected))
        there = [int(match[2]) for match in numbers if match]
        if len(expected) > 1 or there != list(range(1, count + 1)):
            return Refusal(f"of its {count} parts {len(there)} are there")
    return GgufGroup(label=gguf_label(parts[0].path), files=tuple(parts))
