"""Why there is no plan, in the user's words, with amounts and a way out."""

from __future__ import annotations

from collections.abc import Sequence

from cfslurm.core.hardware.classes import NodeClass
from cfslurm.core.planner.formulate import Limits
from cfslurm.core.planner.options import Option
from cfslurm.core.planner.plan import Rejected
from cfslurm.core.slurm.units import human_seconds
from cfslurm.errors import InfeasibleError

_MOST_REASONS = 12


def no_option(groups: Sequence[str], rejected: Sequence[Rejected]) -> InfeasibleError:
    """Some groups fit nowhere: every way that was tried, and what spoke against it."""
    reasons: list[str] = []
    for group in groups:
        mine = [r for r in rejected if r.group == group]
        lines = list(dict.fromkeys(_line(r) for r in mine))
        reasons.append(f"{group} fits nowhere:")
        reasons += [f"  {line}" for line in lines[:_MOST_REASONS]]
        if len(lines) > _MOST_REASONS:
            reasons.append(f"  … and {len(lines) - _MOST_REASONS} more")
        if not lines:
            reasons.append("  its model has no variant, or the cluster has no node")
    names = ", ".join(groups)
    return InfeasibleError(
        f"no plan: {names} {'fits' if len(groups) == 1 else 'fit'} nowhere on this cluster",
        remedy="Change what the reasons name (max_model_len, allow, resources, time), then "
        "`cfslurm plan` again.",
        reasons=tuple(reasons),
    )


def _line(rejected: Rejected) -> str:
    where = rejected.node_class or "anywhere"
    gpus = f" on {rejected.gpus} GPU(s)" if rejected.gpus else ""
    what = f"{rejected.variant} " if rejected.variant else ""
    return f"{what}{where}{gpus}: {rejected.reason}"


def no_solution(
    limits: Limits,
    least_time_s: float,
    least_gpu_hours: float,
    options: Sequence[Option],
    classes: Sequence[NodeClass],
) -> InfeasibleError:
    """Everything fits somewhere, but not together within the limits."""
    reasons = []
    if limits.gpu_hours is not None and least_gpu_hours > limits.gpu_hours:
        reasons.append(
            f"budget: {limits.gpu_hours:g} GPU hours, the cheapest plan needs {least_gpu_hours:.3g}"
        )
    if limits.deadline_s is not None and least_time_s > limits.deadline_s:
        reasons.append(
            f"deadline: {human_seconds(limits.deadline_s)}, "
            f"the fastest plan needs {human_seconds(least_time_s)}"
        )
    if not least_time_s:
        reasons += _crowded_gangs(options, classes)
    if not reasons:
        reasons.append("budget and deadline can each be kept, but not both together")
    return InfeasibleError(
        "no plan keeps all limits",
        remedy="Raise a limit to what the reasons name, or leave it out, then `cfslurm plan` again.",
        reasons=tuple(reasons),
    )


def _crowded_gangs(options: Sequence[Option], classes: Sequence[NodeClass]) -> list[str]:
    nodes = {node_class.name: len(node_class.free_cpus) for node_class in classes}
    reasons = []
    for gang in sorted({option.group.entry for option in options if option.group.is_gang}):
        mine = [option for option in options if option.group.entry == gang]
        parts = {option.group.component for option in mine}
        usable = {option.node_class.name for option in mine}
        reasons.append(
            f"gang {gang}: Slurm puts each of its {len(parts)} components on a node of its own, "
            f"and those that fit are {sum(nodes[name] for name in usable)}: "
            + ", ".join(f"{name} ({nodes[name]})" for name in sorted(usable))
        )
    return reasons
