"""Variants of models as text."""

from __future__ import annotations

from collections.abc import Sequence

from cfslurm.core.models.cached import CachedVariant
from cfslurm.core.report.tables import printable, table
from cfslurm.core.slurm.units import human_bytes


def cached_text(found: Sequence[CachedVariant], caches: Sequence[str]) -> str:
    """What the caches hold: a table for each cache that has something, then what is wrong."""
    parts = []
    for cache in dict.fromkeys(caches):
        rows = [variant for variant in found if variant.cache == cache]
        total = human_bytes(sum(variant.total_bytes for variant in rows))
        count = f"{len(rows)} variant{'' if len(rows) == 1 else 's'}, {total}" if rows else "empty"
        parts.append(f"{printable(cache)}  ({count})")
        if rows:
            parts.append(_cached_table(rows))
        parts += [f"! {printable(v.id)}: {printable(v.problem)}" for v in rows if v.problem]
    return "\n".join(parts)


def _cached_table(rows: Sequence[CachedVariant]) -> str:
    header = ("MODEL", "QUANTIZATION", "SIZE", "COMMIT", "LICENCE", "SINCE", "BY")
    return table(
        header,
        [
            (
                variant.repo_id,
                variant.quantization or "?",
                human_bytes(variant.total_bytes).rjust(7),
                variant.revision[:8],
                variant.licence or "-",
                variant.published_at[:10],
                variant.published_by,
            )
            for variant in rows
        ],
        indent="  ",
    )
