"""Variants of models as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from cfslurm.core.models.cached import CachedVariant
from cfslurm.core.models.variants import PARTS, CatalogEntry, Variant
from cfslurm.core.report.tables import printable, table
from cfslurm.core.slurm.units import human_bytes

_WIDEST = 120


def cached_text(found: Sequence[CachedVariant], caches: Sequence[str]) -> str:
    """What the caches hold: a table for each cache that has something, then what is wrong."""
    parts = []
    for cache in dict.fromkeys(caches):
        rows = [variant for variant in found if variant.cache == cache]
        total = human_bytes(sum(variant.total_bytes for variant in rows))
        count = f"{_count(len(rows), 'variant')}, {total}" if rows else "empty"
        parts.append(f"{printable(cache)}  ({count})")
        if rows:
            parts.append(_cached_table(rows))
        parts += [f"! {printable(v.id)}: {printable(v.problem)}" for v in rows if v.problem]
    return "\n".join(parts)


def _cached_table(rows: Sequence[CachedVariant]) -> str:
    header = ("MODEL", "QUANTIZATION", "   SIZE", "COMMIT", "LICENCE", "SINCE", "BY")
    return table(
        header,
        [
            (
                variant.repo_id,
                variant.quantization or "?",
                _size(variant.total_bytes),
                _commit(variant.revision),
                variant.licence or "-",
                variant.published_at[:10],
                variant.published_by,
            )
            for variant in rows
        ],
        indent="  ",
    )


def found_text(entry: CatalogEntry, folders: Mapping[str, str], *, columns: int) -> str:
    """All variants of a model, best first; then what is to be said of some, and what was refused.

    ``folders`` has the folder of each variant in the model cache by its id, empty where it is not.
    """
    lines = [_headline(entry), *(f"note: {printable(note)}" for note in entry.notes)]
    if entry.variants:
        lines += ["", _found_table(entry.variants, folders)]
    else:
        lines += ["", "there is no variant that can be used"]
    marked = [variant for variant in entry.variants if variant.notes]
    if marked:
        lines += ["", "Notes"]
        lines += _wrapped(((v.id, "; ".join(v.notes)) for v in marked), columns)
    if entry.rejected:
        lines += ["", f"Not taken ({len(entry.rejected)})"]
        refused = (
            (f"{r.repo_id}@{r.quantization}" if r.quantization else r.repo_id, r.reason)
            for r in entry.rejected
        )
        lines += _wrapped(refused, columns)
    return "\n".join(lines)


def _headline(entry: CatalogEntry) -> str:
    known = next((v for v in entry.variants if v.repo_id == entry.repo_id), None)
    count = next((v.parameters for v in (known, *entry.variants) if v and v.parameters), None)
    size = f"  {human_count(count)} parameters" if count else ""
    return f"{printable(entry.repo_id)}  {_commit(entry.revision)}{size}"


def _found_table(variants: Sequence[Variant], folders: Mapping[str, str]) -> str:
    header = ("MODEL", "QUANTIZATION", "   SIZE", " BITS", "QUALITY", "LICENCE", "COMMIT", "")
    return table(
        header,
        [
            (
                variant.repo_id,
                variant.quantization,
                _size(variant.total_bytes),
                _bits(variant),
                f"{variant.quality:.1f}",
                variant.licence or "-",
                _commit(variant.revision),
                ", ".join(_marks(variant, folders.get(variant.id, ""))),
            )
            for variant in variants
        ],
    )


def _marks(variant: Variant, folder: str) -> Iterator[str]:
    if folder:
        yield "in cache"
    if variant.is_gated:
        yield "gated"
    if variant.is_private:
        yield "private"
    if variant.security in {"suspicious", "unsafe"}:
        yield variant.security
    if variant.notes:
        yield "see notes"


def variant_text(variant: Variant, folder: str, *, endpoint: str) -> str:
    """Everything that is known of a variant."""
    pairs = {
        "variant": variant.id,
        "page": f"{endpoint}/{variant.repo_id}",
        "commit": variant.revision,
        "licence": variant.licence or "none is named",
        "access": ", ".join(_access(variant)) or "open",
        "scanners": variant.security or "nothing is told",
        "quantization": _quantization(variant),
        "quality": f"{variant.quality:.1f}  ({variant.quality_source})",
        "download": f"{human_bytes(variant.total_bytes)} in {_count(len(variant.files), 'file')}",
        "weights": _weights(variant),
        "in cache": folder or "no",
        **_shape(variant),
    }
    width = max(len(name) for name in pairs)
    lines = [f"{name:<{width}}  {printable(str(value))}" for name, value in pairs.items()]
    lines += [f"{'note':<{width}}  {printable(note)}" for note in variant.notes]
    if variant.weights:
        lines += ["", _parts_table(variant)]
    return "\n".join([*lines, "", _files_table(variant)])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _access(variant: Variant) -> Iterator[str]:
    if variant.is_gated:
        yield "gated: accept its licence on the page, then `hf auth login`"
    if variant.is_private:
        yield "private"


def _quantization(variant: Variant) -> str:
    group = f", groups of {variant.group_size}" if variant.group_size else ""
    has_rest = variant.family not in ("none", "gguf") and variant.dtype != "auto"
    rest = f", the rest in {variant.dtype}" if has_rest else ""
    bits = variant.bits_per_weight
    mean = f", {bits:.2f} bits per weight" if bits else ""
    return f"{variant.quantization}{group}{rest}{mean}"


def _weights(variant: Variant) -> str:
    told = human_bytes(variant.weights_bytes)
    if variant.weights is None:
        count = variant.parameters
        of = f", {human_count(count)} parameters by the base model" if count else ""
        return f"{told}{of}; the headers were not read"
    by_dtype = ", ".join(
        f"{human_count(count)} in {name}"
        for name, count in sorted(variant.weights.parameters_by_dtype.items(), key=lambda i: -i[1])
    )
    return f"{told}, {human_count(variant.weights.parameters)} parameters: {by_dtype}"


def _shape(variant: Variant) -> dict[str, object]:
    shape = variant.architecture
    experts = f", {shape.num_experts} experts" if shape.num_experts else ""
    return {
        "model type": shape.model_type or "-",
        "layers": f"{shape.num_hidden_layers} of {shape.hidden_size}{experts}",
        "attention": f"{shape.num_attention_heads} heads, {shape.num_key_value_heads} for keys and "
        f"values, of {shape.head_dim}",
        "vocabulary": shape.vocab_size,
        "context": f"{shape.max_position_embeddings} tokens",
    }


def _parts_table(variant: Variant) -> str:
    assert variant.weights is not None
    total = variant.weights.tensor_bytes or 1
    rows = [
        (part, _size(variant.weights.part(part)), f"{variant.weights.part(part) / total:6.1%}")
        for part in PARTS
        if variant.weights.part(part)
    ]
    return table(("PART", "  BYTES", " SHARE"), rows)


def _files_table(variant: Variant) -> str:
    rows = [
        (
            "weights" if file.is_weights else "",
            _size(file.size_bytes),
            f"sha256:{file.sha256[:16]}…" if file.sha256 else f"git:{file.git_sha1[:16]}…",
            file.path,
        )
        for file in variant.files
    ]
    return table(("FILES", "   SIZE", "HASH", "PATH"), rows)


def _wrapped(pairs: Iterator[tuple[str, str]], columns: int) -> Iterator[str]:
    """Names, and sentences in a column of their own beside them."""
    found = [(printable(name), printable(text)) for name, text in pairs]
    widest = max((len(name) for name, _ in found), default=0)
    room = min(columns, _WIDEST)
    width = min(widest, room // 2)
    for name, text in found:
        lines = textwrap.wrap(
            text, max(room - width - 4, 30), break_long_words=False, break_on_hyphens=False
        ) or [""]
        if len(name) > width:
            yield f"  {name}"
            lines = ["", *lines]
        else:
            yield f"  {name:<{width}}  {lines[0]}".rstrip()
        yield from (f"  {'':<{width}}  {line}" for line in lines[1:])


def _size(count: int) -> str:
    return human_bytes(count).rjust(7)


def _bits(variant: Variant) -> str:
    bits = variant.bits_per_weight
    return f"{bits:5.2f}" if bits else "    -"


def _commit(revision: str) -> str:
    return revision[:8]


def human_count(count: int) -> str:
    """A number of parameters for people, powers of 1000.

    >>> human_count(8_030_261_248), human_count(512)
    ('8.03B', '512')
    """
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)
