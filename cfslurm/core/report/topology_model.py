"""What every picture of a cluster is made of: cells for GPUs, boxes for nodes, groups for switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cfslurm.core.report.gpu_links import Links


class Mark(StrEnum):
    """What a job could do with a GPU now."""

    FREE = "free"
    USED = "used"
    SHARED = "shared"
    CLOSED = "closed"


class NodeMark(StrEnum):
    """What a job could do with a node now, in words that stand in the pictures."""

    FREE = "free"
    PART = "partly used"
    FULL = "full"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A GPU, or a MIG instance. ``is_numbered`` is false where Slurm does not say which ones are used."""

    number: int
    mark: Mark
    gpu_type: str
    is_numbered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBox:
    """A node as it is drawn. ``fits`` are sentences about models that go onto it."""

    name: str
    mark: NodeMark
    state: str
    what: str
    reason: str
    cells: tuple[Cell, ...]
    cpus: str
    node_class: str
    links: Links | None
    links_text: str
    fits: tuple[str, ...] = ()

    @property
    def links_short(self) -> str:
        """What is known of the links, without from whom."""
        return self.links_text.partition(" (probed")[0]

    @property
    def free(self) -> int:
        """GPUs that a job could get."""
        return sum(cell.mark is Mark.FREE for cell in self.cells)

    @property
    def title(self) -> str:
        """Everything in a sentence, for people who do not see the picture."""
        gpus = f"{self.free} of {len(self.cells)} GPUs free, " if self.cells else ""
        reason = f", reason: {self.reason}" if self.reason else ""
        return f"{self.name}: {self.what}, {gpus}{self.cpus}, {self.mark} ({self.state}){reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A switch or a block with what is below it; with an empty name, nodes without one."""

    name: str
    kind: str
    groups: tuple[Group, ...] = ()
    nodes: tuple[NodeBox, ...] = ()

    def every(self) -> Iterator[NodeBox]:
        """All nodes below, in order."""
        for group in self.groups:
            yield from group.every()
        yield from self.nodes

    @property
    def summary(self) -> str:
        """Nodes, GPUs by type, and how many of them are free."""
        nodes = tuple(self.every())
        cells = [cell for node in nodes for cell in node.cells]
        if not cells:
            return _plural(len(nodes), "node")
        types = ", ".join(sorted({cell.gpu_type for cell in cells}))
        free = sum(node.free for node in nodes)
        return f"{_plural(len(nodes), 'node')} · {types} · {free} of {len(cells)} GPUs free"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is drawn. ``selected`` is the name that was asked for, empty for the whole cluster."""

    cluster: str
    selected: str
    age: str
    groups: tuple[Group, ...]
    warnings: tuple[str, ...]
    has_fits: bool = False

    @property
    def nodes(self) -> tuple[NodeBox, ...]:
        """All nodes, in order, each once."""
        return tuple({node.name: node for group in self.groups for node in group.every()}.values())

    @property
    def title(self) -> str:
        """The head of every picture."""
        return f"{self.cluster}: {self.selected}" if self.selected else self.cluster

    @property
    def summary(self) -> str:
        """How much there is, and how much of it is free."""
        nodes = self.nodes
        cells = [cell for node in nodes for cell in node.cells]
        free = sum(cell.mark is Mark.FREE for cell in cells)
        closed = sum(node.mark is NodeMark.CLOSED for node in nodes)
        gpus = f" · {free} of {len(cells)} GPUs free" if cells else ""
        shut = f" · {closed} closed" if closed else ""
        return f"{_plural(len(nodes), 'node')}{gpus}{shut}"

    @property
    def link_classes(self) -> tuple[NodeBox, ...]:
        """One node of each class whose links are known: they stand for the others."""
        found: dict[str, NodeBox] = {}
        for node in self.nodes:
            if node.links is not None:
                found.setdefault(node.node_class, node)
        return tuple(found[name] for name in sorted(found))


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
