"""MIG: what an instance of a profile gets of its card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MigProfile:
    """A profile of one kind of card.

    ``compute_share`` is the part of the card's multiprocessors, ``memory_share`` that of its memory,
    caches and memory bandwidth.
    """

    name: str
    slices: int
    memory_gb: int
    compute_share: float
    memory_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MigName:
    """A profile as it stands in a name: ``1c.3g.20gb`` is a compute instance of one slice in a 3g.20gb."""

    card: str
    slices: int
    memory_gb: int


# (compute slices, of how many; eighths of the memory), in the order of the sizes below.
_SEVENTHS = ((1, 7, 1), (1, 7, 2), (2, 7, 2), (3, 7, 4), (4, 7, 4), (7, 7, 8))
_QUARTERS = ((1, 4, 2), (2, 4, 4), (4, 4, 8))
_A100_40 = (5, 10, 10, 20, 20, 40)
_80 = (10, 20, 20, 40, 40, 80)
_96 = (12, 24, 24, 48, 48, 96)
_H200 = (18, 35, 35, 71, 71, 141)

# Card → the sizes in the profiles' names. Source: NVIDIA, Multi-Instance GPU User Guide, "Supported MIG
# Profiles" (A30, A100, H100 80/94/96 GB, H200, B200, RTX PRO 6000 Blackwell); B300: NVIDIA GPU Operator
# 25.3, default MIG configuration. H20 and H100 96 GB are listed there as MIG cards of 96 GB.
_SIZES: Mapping[str, tuple[int, ...]] = {
    "a30": (6, 12, 24),
    "a100_40": _A100_40,
    "a100_pcie_40": _A100_40,
    "a100_80": _80,
    "a100_pcie_80": _80,
    "h100": _80,
    "h100_pcie": _80,
    "h100_nvl": (12, 24, 24, 47, 47, 94),
    "h100_96": _96,
    "gh200_96": _96,
    "h20": _96,
    "h200": _H200,
    "h200_nvl": _H200,
    "b200": (23, 45, 45, 90, 90, 180),
    "b300": (34, 67, 67, 135, 135, 269),
    "rtx_pro_6000": (24, 48, 96),
}
# What the driver keeps of an instance's part. Source: nvidia-smi on A100 40 GB (1g.5gb has 4864 MiB of
# 5120, 3g.20gb 20,096 of 20,480) and A100 80 GB (1g.10gb 9728 of 10,240): 1.9 to 5 %, so 5 %.
DRIVER_PART = 0.05

_NAME = re.compile(
    r"^(?:(?P<card>.*?)[_.-]+)??(?:mig[_.-]*)?(?:\d+c[._-])?(?P<slices>\d)g[._-](?P<gb>\d+)gb(?:[+-].*)?$",
    re.IGNORECASE,
)


def mig_name(name: str) -> MigName | None:
    """The card and the profile in a name; None where no profile stands in it.

    Shape: ``nvidia_a100_3g.20gb`` (Slurm's AutoDetect: NVML's name up to its first ``-``, then the
        profile), ``a100_1g.5gb``, ``mig-1g.10gb``, ``1g.10gb+me``.

    >>> mig_name("nvidia_a100_3g.20gb")
    MigName(card='nvidia_a100', slices=3, memory_gb=20)
    """
    match = _NAME.match(name.strip())
    if match is None:
        return None
    return MigName(
        card=(match["card"] or "").lower(), slices=int(match["slices"]), memory_gb=int(match["gb"])
    )


def profiles_of(card: str) -> tuple[MigProfile, ...]:
    """The profiles of a card by its key in the catalogue; none where it has no MIG."""
    sizes = _SIZES.get(card, ())
    shapes = _SEVENTHS if len(sizes) == len(_SEVENTHS) else _QUARTERS
    return tuple(
        MigProfile(
            name=f"{slices}g.{gb}gb",
            slices=slices,
            memory_gb=gb,
            compute_share=slices / of,
            memory_share=eighths / 8,
        )
        for gb, (slices, of, eighths) in zip(sizes, shapes, strict=False)
    )


def find_profile(card: str, slices: int, memory_gb: int) -> MigProfile | None:
    """The profile of a card that a name means.

    AutoDetect writes the driver's MiB as GiB, which is a little less than NVIDIA's own name says:
    ``3g.39gb`` for 3g.40gb. Source: gpu_nvml.c of Slurm.
    """
    fitting = [
        profile
        for profile in profiles_of(card)
        if profile.slices == slices
        and 0.9 * profile.memory_gb <= memory_gb <= profile.memory_gb + 1
    ]
    return min(fitting, key=lambda one: abs(one.memory_gb - memory_gb), default=None)
