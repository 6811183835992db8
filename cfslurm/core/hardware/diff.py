"""What is different between two harvests: what the cluster is, which nodes take jobs, what is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum

from cfslurm.core.documents import Json, to_json
from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.hardware.graph import HardwareGraph, Node
from cfslurm.core.slurm.hostlist import fold


class Kind(StrEnum):
    """What a change is about."""

    CONFIGURATION = "configuration"  # stays until an administrator changes it again
    STATE = "state"  # a node began or ceased to take jobs, or does not for another reason
    USE = "use"  # what is busy or free, and what changes with every job


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference, with all things that it happened to.

    ``what`` is ``node``, ``partition``, ``class`` …; ``names`` is a hostlist. ``field`` is the path of
    a value, empty where the thing itself came (``old`` is None) or went (``new`` is None). Of lists
    only what was ``lost`` and ``gained`` is told.
    """

    kind: Kind
    what: str
    names: str
    field: str
    old: Json = None
    new: Json = None
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A difference of one thing; equal ones are folded."""

    kind: Kind
    what: str
    name: str
    field: str
    old: object = None
    new: object = None


# How a graph came about, not what it says.
_ABOUT_THE_HARVEST = frozenset({"schema", "harvested_at", "backend", "parts", "warnings"})
# Told together, by `_state`.
_STATE_FIELDS = frozenset({"state", "state_flags", "reason", "reason_user", "reason_time"})
_NOTHING = (None, ())  # an empty list of things has no path of its own
# By the last part of a field's path, or by the section of the graph; the rest is configuration.
_STATE = frozenset({"state", "reservations", "unread"})
_USE = frozenset(
    {
        "used", "used_indices", "shared", "cpus_used", "memory_used_mib", "boot_time", "free",
        "reserved", "running", "shares",
    }
)  # fmt: skip
# Of a node's own answer.
_PROBED_SETUP = frozenset(
    {
        "name", "identity", "memory_mib", "compute_capability", "driver", "cuda", "mig_mode", "profile",
        "nvlinks", "through", "path", "peer_access", "mode", "limit_w", "generation_max", "width_max",
        "cpu_model", "cores", "kernel", "os", "filesystem", "total_mib", "rate_mbit_s",
    }
)  # fmt: skip
_SINGULAR = {"topologies": "topology", "qos": "qos", "running": "job"}


def diff(old: HardwareGraph, new: HardwareGraph) -> tuple[Change, ...]:
    """All changes from one harvest to another: by kind, then in the graph's order.

    Every field of the documents is compared, so that none can be forgotten here.
    """
    found: list[_Found] = []
    for field in fields(HardwareGraph):
        if field.name not in _ABOUT_THE_HARVEST:
            found += _section(field.name, getattr(old, field.name), getattr(new, field.name))
    found += _classes(old, new)
    return _folded(found)


def matters(changes: Sequence[Change]) -> bool:
    """True if something else than use has changed."""
    return any(change.kind is not Kind.USE for change in changes)


def _section(section: str, old: object, new: object) -> Iterator[_Found]:
    if not (isinstance(old, tuple) and isinstance(new, tuple)):
        yield from _fields(section, "", old, new, of=section)
        return
    what = _SINGULAR.get(section, section.removesuffix("s"))
    before, after = _by_identity(old), _by_identity(new)
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            yield _Found(
                kind=_kind(section), what=what, name=name, field="",
                old=None if was is None else _title(was),
                new=None if now is None else _title(now),
            )  # fmt: skip
        elif was != now:
            yield from _fields(what, name, was, now, of=section)


def _fields(what: str, name: str, old: object, new: object, *, of: str) -> Iterator[_Found]:
    if isinstance(old, Node) and isinstance(new, Node):
        yield from _state(old, new)
        if (old.probe is None) != (new.probe is None):  # one line, not one for each of its facts
            yield _Found(
                kind=Kind.USE, what=what, name=name, field="probe",
                old=None if old.probe is None else "told",
                new=None if new.probe is None else "told",
            )  # fmt: skip
            old, new = replace(old, probe=None), replace(new, probe=None)
    before, after = dict(_leaves(old)), dict(_leaves(new))
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        nothing = was in _NOTHING and now in _NOTHING
        if was != now and not nothing and not (what == "node" and path in _STATE_FIELDS):
            leaf = path.rpartition(".")[2]
            kind = _probe_kind(leaf, was, now) if path.startswith("probe") else _kind(of, leaf)
            yield _Found(kind=kind, what=what, name=name, field=path, old=was, new=now)


def _kind(section: str, field: str = "") -> Kind:
    if section in _USE or field in _USE:
        return Kind.USE
    return Kind.STATE if section in _STATE or field in _STATE else Kind.CONFIGURATION


def _probe_kind(field: str, old: object, new: object) -> Kind:
    """Of what a node said of itself, a clock or a temperature is of its moment; a driver is set up.

    A node that was asked for the first time, or whose answer has run out, has not changed.
    """
    is_told_twice = old is not None and new is not None
    return Kind.CONFIGURATION if is_told_twice and field in _PROBED_SETUP else Kind.USE


def _state(old: Node, new: Node) -> Iterator[_Found]:
    """A node that closes, opens, or is closed for another reason; busy or idle is use."""
    before, after = condition(old), condition(new)
    if before != after:
        kind, was, now = Kind.STATE, before or "takes jobs", after or "takes jobs"
    else:
        kind, was, now = Kind.USE, _as_slurm(old), _as_slurm(new)
    if was != now:
        yield _Found(kind=kind, what="node", name=new.name, field="state", old=was, new=now)


def condition(node: Node) -> str:
    """Why a node takes no jobs: ``DRAIN (disk failed)``; empty if it takes them."""
    if node.takes_jobs:
        return ""
    words = "+".join(node.closed_by)
    return f"{words} ({node.reason})" if node.reason else words


def _as_slurm(node: Node) -> str:
    return "+".join((node.state, *node.state_flags))


def _classes(old: HardwareGraph, new: HardwareGraph) -> Iterator[_Found]:
    before = {one.name: len(one.node_names) for one in node_classes(old)}
    after = {one.name: len(one.node_names) for one in node_classes(new)}
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            yield _Found(
                kind=Kind.CONFIGURATION, what="class", name=name, field="",
                old=_count(was), new=_count(now),
            )  # fmt: skip
        elif was != now:
            yield _Found(
                kind=Kind.CONFIGURATION, what="class", name=name, field="nodes", old=was, new=now
            )


def _count(nodes: int | None) -> str | None:
    if nodes is None:
        return None
    return "1 node" if nodes == 1 else f"{nodes} nodes"


def _by_identity(items: Sequence[object]) -> dict[str, object]:
    return {_identity(item, index): item for index, item in enumerate(items)}


def _identity(item: object, index: int) -> str:
    """What a thing is called among its like; its place where it has no name."""
    for keys in (("name", "type"), ("gpu_type",), ("job_id",), ("account", "user", "partition")):
        if hasattr(item, keys[0]):
            words = [str(getattr(item, key, "")) for key in keys]
            return ":".join(word for word in words if word) or "gpu"
    return str(index)


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The values in a document by their path: ``gpus.a100.count``. The order of a list is no value."""
    if is_dataclass(value) and not isinstance(value, type):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, Mapping):
        inner = {str(key): item for key, item in value.items()}
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        inner = _by_identity(value)
    else:
        yield path, tuple(sorted(value, key=str)) if isinstance(value, tuple) else value
        return
    for key, item in inner.items():
        yield from _leaves(item, f"{path}.{key}" if path else key)


def _title(thing: object) -> str:
    """A node in a few words; of other things their name is enough."""
    if not isinstance(thing, Node):
        return "there"
    gpus = [f"{gpus.count} x {gpus.facts.key}" for gpus in thing.gpus]
    where = ",".join(thing.partitions) or "no partition"
    return f"{', '.join([*gpus, f'{thing.cpus} CPUs'])}, {thing.real_memory_mib} MiB, in {where}"


def _folded(found: Sequence[_Found]) -> tuple[Change, ...]:
    groups: dict[tuple[Kind, str, str, object, object], list[str]] = {}
    for one in found:
        key = (one.kind, one.what, one.field, one.old, one.new)
        groups.setdefault(key, []).append(one.name)
    changes = [_change(*key, names=names) for key, names in groups.items()]
    order = list(Kind)
    return tuple(sorted(changes, key=lambda change: order.index(change.kind)))


def _change(
    kind: Kind, what: str, field: str, old: object, new: object, *, names: Sequence[str]
) -> Change:
    listed = fold(names) if what == "node" else ", ".join(names)
    if not (isinstance(old, tuple) or isinstance(new, tuple)):
        return Change(
            kind=kind, what=what, names=listed, field=field, old=to_json(old), new=to_json(new)
        )
    before, after = _words(old), _words(new)
    lost, gained = sorted(before - after), sorted(after - before)
    if field.endswith("node_names"):
        lost, gained = [fold(lost)] if lost else [], [fold(gained)] if gained else []
    return Change(
        kind=kind, what=what, names=listed, field=field, lost=tuple(lost), gained=tuple(gained)
    )


def _words(value: object) -> set[str]:
    return {str(item) for item in value} if isinstance(value, tuple) else set()
