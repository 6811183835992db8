"""How much memory variants need, as text: a table, and the formula behind each number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cfslurm.core.models.engines import Engine
from cfslurm.core.models.fit import Fit
from cfslurm.core.models.serving import Certainty, Term
from cfslurm.core.models.sizing import SizeRow
from cfslurm.core.models.variants import RejectedVariant
from cfslurm.core.report.tables import printable, table
from cfslurm.core.slurm.units import human_bytes

_WEIGHTS = frozenset({"weights", "rotary_table", "absorbed_projections", "kernel_padding"})
_CACHE = frozenset({"kv_cache", "recurrent_state"})


def size_text(rows: Sequence[SizeRow]) -> str:
    """The table, why rows do not fit, and what is to be known of formats on this GPU."""
    header = (
        "VARIANT", "ENGINE", "GPUS", "VERDICT", "WEIGHTS", "CACHE", "REST", "NEED", "LIMIT",
        "LONGEST", "AT ONCE",
    )  # fmt: skip
    parts = [table(header, [_cells(row) for row in rows])]
    notes = dict.fromkeys(
        f"  {printable(row.variant)}: {printable(note)}" for row in rows for note in row.notes
    )
    parts += [*_reasons(rows), *notes]
    return "\n".join(parts)


def _reasons(rows: Sequence[SizeRow]) -> Iterable[str]:
    """Why rows do not fit; of a variant that is too large on any number of GPUs, on the most of them."""
    fitting = {row.variant for row in rows if not row.fit.reason}
    told: dict[tuple[str, str], str] = {}
    for row in rows:
        is_size = row.fit.need_bytes > row.fit.limit_bytes and "too much" in row.fit.reason
        if row.fit.reason and not (is_size and row.variant in fitting):
            reason = "size" if is_size else row.fit.reason
            told[row.variant, reason] = printable(
                f"! {row.variant} on {_gpus(row.fit)}: {row.fit.reason}"
            )
    return told.values()


def _cells(row: SizeRow) -> tuple[str, ...]:
    found = row.fit
    weights, cache = _sum(found.terms, _WEIGHTS), _sum(found.terms, _CACHE)
    shown = [
        weights,
        cache,
        found.need_bytes - weights - cache,
        found.need_bytes,
        found.limit_bytes,
    ]
    return (
        row.variant,
        row.engine,
        _gpus(found),
        str(found.verdict),
        *(human_bytes(size).rjust(6) if found.terms else "-" for size in shown),
        str(row.longest_context or "-").rjust(7),
        str(row.most_sequences or "-").rjust(7),
    )


def _gpus(found: Fit) -> str:
    stages = f" x {found.pipeline_parallel_size}" if found.pipeline_parallel_size > 1 else ""
    return f"{found.tensor_parallel_size}{stages}"


def _sum(terms: Iterable[Term], names: frozenset[str]) -> int:
    return sum(term.bytes for term in terms if term.name in names)


def nothing_text(repo: str, rejected: Sequence[RejectedVariant]) -> str:
    """That there is nothing to be sized, and why what was found is not."""
    reasons = [printable(f"! {r.repo_id} {r.quantization}: {r.reason}") for r in rejected]
    return "\n".join([f"no variant of {printable(repo)} to be sized", *reasons])


def explain_text(rows: Sequence[SizeRow]) -> str:
    """Every term of every row: how much, how sure, the formula with its numbers, the source."""
    return "\n\n".join(_explained(row) for row in rows)


def _explained(row: SizeRow) -> str:
    found = row.fit
    head = f"{printable(row.variant)} with {row.engine} on {_gpus(found)} GPU(s): {found.verdict}"
    cells = [
        (term.name, human_bytes(term.bytes).rjust(7), _sure(term), term.formula)
        for term in found.terms
    ]
    lines = [head, table(("TERM", "BYTES", "HOW SURE", "FORMULA"), cells, indent="  ")]
    lines += [f"  {term.name}: {printable(term.source)}" for term in found.terms]
    beyond = ", ".join(term.name for term in found.terms if not term.is_budgeted)
    need, limit = human_bytes(found.need_bytes), human_bytes(found.limit_bytes)
    slack = human_bytes(found.slack_bytes)
    lines.append(f"  needs {need} of {limit}, {slack} to spare")
    if beyond:
        lines.append(f"  outside of the engine's share: {beyond}")
    lines += [f"  {printable(text)}" for text in (found.reason, *row.notes) if text]
    return "\n".join(lines)


def _sure(term: Term) -> str:
    if term.certainty is not Certainty.ESTIMATE:
        return str(term.certainty)
    return f"{human_bytes(term.low_bytes)} to {human_bytes(term.high_bytes)}"


def formats_text(engines: Sequence[tuple[str, Engine]]) -> str:
    """What runs where: a row for a format of an engine's version."""
    rows = []
    for name, engine in engines:
        for rule in engine.formats:
            if engine.rule(rule.format) is rule:
                least = "-" if rule.nvidia is None else f"{rule.nvidia:g}"
                native = "-" if rule.native is None else f"{rule.native:g}"
                cell = f"{name} {engine.version}".strip()
                rows.append((cell, rule.format, least, native, " ".join(rule.amd) or "-"))
    return table(("ENGINE", "FORMAT", "NVIDIA FROM", "NATIVE FROM", "AMD"), rows)
