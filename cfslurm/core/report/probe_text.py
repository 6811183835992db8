"""What nodes have told of themselves, in a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cfslurm.core.hardware.probe import NodeProbe, NotKnown, known
from cfslurm.core.hardware.probe_targets import GpuAsk, LeftOut, ProbeTarget
from cfslurm.core.slurm.hostlist import fold


def asks_text(targets: Sequence[ProbeTarget], left_out: Sequence[LeftOut], ask: GpuAsk) -> str:
    """Who is about to be asked, and what that takes from others."""
    lines = [
        f"{one.node} ({one.node_class}): "
        + (
            f"asks for {one.gpus_asked} of {one.gpus_total} GPUs"
            if one.gpus_total
            else "has no GPUs"
        )
        for one in targets
    ]
    lines += [f"{one.name}: not asked, {one.why}" for one in left_out]
    if ask is not GpuAsk.NONE and any(one.gpus_asked < one.gpus_total for one in targets):
        lines.append(
            "A job sees only the GPUs it holds where Slurm fences them: links to others stay unknown. "
            "`--gpus all` waits for whole nodes."
        )
    return "\n".join(lines)


def fencing_text(probes: Sequence[NodeProbe]) -> str:
    """What to do better next time where jobs see GPUs that they do not hold; "" where none did."""
    for probe in probes:
        held = known(probe.gpus_asked)
        if held is not None and len(probe.gpus) > held:
            return (
                f"{probe.node} showed {len(probe.gpus)} GPUs to a job that held {held}: nothing fences "
                "them here, and `--gpus none` is enough."
            )
    return ""


def remedy_text(probes: Sequence[NodeProbe]) -> str:
    """What to do about GPUs that no node could tell of, each advice once with its nodes; "" for none."""
    advice: dict[str, list[str]] = {}
    for probe in probes:
        if isinstance(probe.gpu, NotKnown) and probe.gpu.remedy:
            advice.setdefault(probe.gpu.remedy, []).append(probe.node)
    return "\n".join(f"  try, {fold(nodes)}: {remedy}" for remedy, nodes in advice.items())


def probe_text(probe: NodeProbe) -> str:
    """An answer in a line: GPUs and how they are joined, memory of the node, what could not be read.

    Shape: ``a100-1: 4 x NVIDIA A100-SXM4-80GB (81920 MiB, 12 NVLinks), driver 550.90.07``.
    """
    if isinstance(probe.gpu, NotKnown):
        machine = f"; {_machine(probe)}" if _machine(probe) else ""
        return f"{probe.node}: no GPU facts: {probe.gpu.not_known}{machine}"
    if not probe.gpus:
        return f"{probe.node}: no GPU in sight, driver {_word(probe.gpu.driver)}"
    kinds = Counter(
        f"{_word(gpu.name)} ({_word(gpu.memory_mib)} MiB{_cut(gpu.mig)})" for gpu in probe.gpus
    )
    cards = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    return f"{probe.node}: {cards}, {_links(probe)}, driver {_word(probe.gpu.driver)}"


def _machine(probe: NodeProbe) -> str:
    if isinstance(probe.machine, NotKnown):
        return ""
    cores, memory_mib = _word(probe.machine.cores), _word(probe.machine.memory_mib)
    return f"{_word(probe.machine.cpu_model)}, {cores} cores, {memory_mib} MiB"


def _word(fact: object) -> str:
    return "?" if isinstance(fact, NotKnown) else str(fact)


def _cut(mig: tuple[object, ...] | NotKnown) -> str:
    return f", {len(mig)} MIG instances" if not isinstance(mig, NotKnown) and mig else ""


def _links(probe: NodeProbe) -> str:
    if len(probe.gpus) < 2:
        return "one GPU in sight"
    counts = {known(link.nvlinks) for link in probe.links}
    if counts == {0}:
        return "no NVLink"
    if None in counts:
        return "NVLinks not known between all"
    least, most = min(c for c in counts if c is not None), max(c for c in counts if c is not None)
    return f"{most} NVLinks" if least == most else f"{least} to {most} NVLinks"
