"""What runs where, for people."""

from __future__ import annotations

from collections.abc import Sequence

from cfslurm.core.models.matrix import Best, Cell, Wish
from cfslurm.core.models.rates import digits
from cfslurm.core.models.variants import RejectedVariant
from cfslurm.core.report.tables import printable, table
from cfslurm.core.slurm.units import human_bytes, human_seconds

_HEADER = (
    "", "VARIANT", "NODE CLASS", "GPUS", "ENGINE", "FIT", "MEMORY", "TOK/S", "RANGE", "FIRST",
    "QUALITY", "CACHED",
)  # fmt: skip
_MOST_REASONS = 15


def matrix_text(
    cells: Sequence[Cell], best: Best | None, wish: Wish, rejected: Sequence[RejectedVariant]
) -> str:
    """The cells that go, those that do not with the reason, and the best of all."""
    going = [cell for cell in cells if not cell.reason]
    parts = []
    if going:
        parts.append(table(_HEADER, [_row(cell, best) for cell in going]))
    else:
        parts.append("nothing of it runs here")
    refused = _refused([cell for cell in cells if cell.reason], rejected)
    if refused:
        rows = [(_listed(variants), _listed(classes), why) for why, variants, classes in refused]
        text = table(("VARIANT", "NODE CLASS", "WHY"), rows[:_MOST_REASONS], indent="  ")
        more = len(rows) - _MOST_REASONS
        rest = f"\n  … and {more} more (--json has all)" if more > 0 else ""
        parts.append(f"Not possible:\n{text}{rest}")
    if best is not None:
        parts.append(
            f"Best (✔): {printable(best.variant)} on {best.gpus} GPU(s) of {best.node_class}: {best.why}."
        )
    if going:
        parts.append(_legend(going, wish))
    return "\n\n".join(parts)


def _row(cell: Cell, best: Best | None) -> Sequence[object]:
    assert cell.tokens_per_s is not None
    is_best = best is not None and (cell.variant, cell.node_class) == (
        best.variant,
        best.node_class,
    )
    return (
        "✔" if is_best else "",
        cell.variant,
        cell.node_class,
        cell.gpus,
        cell.engine,
        cell.verdict.value,
        f"{human_bytes(cell.need_bytes)}/{human_bytes(cell.limit_bytes)}",
        digits(cell.rate),
        str(cell.tokens_per_s) + (f" ({cell.samples})" if cell.samples else ""),
        human_seconds(cell.ttft_s) if cell.ttft_s >= 1 else f"{cell.ttft_s * 1000:.0f}ms",
        f"{cell.quality:g}",
        "yes" if cell.is_cached else "-",
    )


def _refused(
    cells: Sequence[Cell], rejected: Sequence[RejectedVariant]
) -> list[tuple[str, list[str], list[str]]]:
    """Reason, what it refuses, where; one entry for each reason and set of classes."""
    where: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        where.setdefault((cell.reason, cell.variant), []).append(cell.node_class)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (reason, variant), classes in where.items():
        alike.setdefault((reason, tuple(sorted(classes))), []).append(variant)
    found = [(reason, variants, list(classes)) for (reason, classes), variants in alike.items()]
    return found + [
        (item.reason, ["@".join(filter(None, (item.repo_id, item.quantization)))], ["any"])
        for item in rejected
    ]


def _listed(words: Sequence[str]) -> str:
    """The first three, and how many more."""
    kept = list(dict.fromkeys(words))
    more = len(kept) - 3
    return ", ".join(kept[:3]) + (f" and {more} more" if more > 0 else "")


def _legend(going: Sequence[Cell], wish: Wish) -> str:
    samples = max(cell.samples for cell in going)
    lines = [
        f"MEMORY: needed on each GPU / what the engine may take, for {wish.max_num_seqs} sequence(s) of "
        f"{wish.max_model_len} tokens.",
        f"TOK/S: while decoding, all sequences together; FIRST: until the first token of "
        f"{wish.tokens_in}. 8 of 10 measurements are expected in RANGE.",
    ]
    if samples:
        lines.append("RANGE (n): corrected by n samples of finished work.")
    return "\n".join(lines)
