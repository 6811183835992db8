"""Values of the solver → choices in whole items, and why the other ways were not taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cfslurm.core.models.speed import Uncorrected
from cfslurm.core.planner.options import Option
from cfslurm.core.planner.plan import Choice, Rejected
from cfslurm.core.slurm.units import human_seconds

# A share below this brings more overhead than work.
_LEAST_SHARE = 0.02


def choices_from(
    options: Sequence[Option], values: Mapping[str, float]
) -> tuple[tuple[Choice, ...], tuple[Rejected, ...]]:
    """Round shares to whole items (largest remainder) and say what was left out."""
    choices: list[Choice] = []
    rejected: list[Rejected] = []
    for key in sorted({option.group.key for option in options}):
        mine = [option for option in options if option.group.key == key]
        items = _whole_items(mine, values)
        taken = [option for option in mine if items[option.name]]
        taken.sort(key=lambda option: (-items[option.name], option.name))
        choices += [_choice(option, items[option.name], taken, mine) for option in taken]
        rejected += [_not_taken(o, taken) for o in mine if not items[o.name]]
    return tuple(choices), tuple(rejected)


def _whole_items(options: Sequence[Option], values: Mapping[str, float]) -> dict[str, int]:
    count = options[0].group.count
    shares = {o.name: max(0.0, values.get(o.name, 0.0)) for o in options}
    if any(share >= _LEAST_SHARE for share in shares.values()):
        shares = {name: s if s >= _LEAST_SHARE else 0.0 for name, s in shares.items()}
    total = sum(shares.values()) or 1.0
    exact = {name: share / total * count for name, share in shares.items()}
    whole = {name: int(value) for name, value in exact.items()}
    left = count - sum(whole.values())
    by_remainder = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_remainder[:left]:
        whole[name] += 1
    return whole


def _choice(
    option: Option, items: int, taken: Sequence[Option], possible: Sequence[Option]
) -> Choice:
    fit, rate = option.fit, option.speed.tokens_per_s
    return Choice(
        group=option.group.key,
        model=option.group.model_name,
        variant=option.variant.id if option.variant else "",
        node_class=option.node_class.name,
        gpu_type=option.node_class.gpu_type if option.gpus else "",
        gpu_key=option.node_class.facts.key if option.gpus and option.node_class.facts else "",
        partitions=option.partitions,
        gpus=option.gpus,
        cpus=option.group.resources.cpus,
        mem_mib=option.group.mem_mib,
        items=items,
        item_s=round(option.item_s, 3),
        item_low_s=round(option.speed.item_s.low, 3),
        item_high_s=round(option.speed.item_s.high, 3),
        tokens_per_s=rate.rounded() if rate else None,
        samples=option.speed.samples,
        uncorrected=_uncorrected(option),
        time_limit_s=option.time_limit_s,
        quality=option.quality,
        fit=fit.verdict.value if fit else "",
        need_bytes=fit.need_bytes if fit else 0,
        limit_bytes=fit.limit_bytes if fit else 0,
        memory=fit.terms if fit else (),
        gpu_hours=round(option.gpu_hours_per_item * items, 6),
        why=_why(option, taken, possible),
        source=option.speed.source,
    )


def _uncorrected(option: Option) -> Uncorrected:
    told = option.speed.uncorrected
    return replace(
        told,
        duration=round(told.duration, 3),
        decode=float(f"{told.decode:.4g}"),
        memory=float(option.fit.need_bytes) if option.fit else 0.0,
    )


def _why(option: Option, taken: Sequence[Option], possible: Sequence[Option]) -> str:
    others = [other for other in possible if other.name != option.name]
    if not others:
        return "no other way fits or is better"
    reasons = []
    if option.item_s <= min(other.item_s for other in possible):
        reasons.append("fastest")
    if option.quality >= max(other.quality for other in possible) and option.variant:
        reasons.append("best quality")
    if option.gpus and option.gpu_hours_per_item <= min(o.gpu_hours_per_item for o in possible):
        reasons.append("fewest GPU hours")
    if len(taken) > 1:
        reasons.append("shares the items with other nodes")
    return ", ".join(reasons) or "best for the objective"


def _not_taken(option: Option, taken: Sequence[Option]) -> Rejected:
    here = [other for other in taken if other.node_class.name == option.node_class.name]
    best = here[0] if here else taken[0]
    where = "there" if here else f"on {best.node_class.name}"
    what = best.variant.id if best.variant else "the work"
    differences = []
    if option.item_s > best.item_s * 1.005:
        slower, faster = human_seconds(option.item_s), human_seconds(best.item_s)
        differences.append(f"slower ({slower} an item, not {faster})")
    if option.quality < best.quality:
        differences.append(f"quality {option.quality:g}, not {best.quality:g}")
    if option.gpu_hours_per_item > best.gpu_hours_per_item * 1.005:
        differences.append("more GPU hours")
    comparison = ", ".join(differences) or "no gain for the objective"
    return Rejected(
        group=option.group.key,
        variant=option.variant.id if option.variant else "",
        node_class=option.node_class.name,
        gpus=option.gpus,
        reason=f"would do; {what} taken {where}: {comparison}",
    )
