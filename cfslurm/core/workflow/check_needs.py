"""Can what waits for other work ever start?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cfslurm.core.workflow import items
from cfslurm.core.workflow.mistakes import unknown
from cfslurm.core.workflow.model import Need, Workflow
from cfslurm.errors import Problem, UserInputError


def check_needs(
    path: str, name: str, needs: Mapping[str, Need], workflow: Workflow
) -> Iterator[Problem]:
    """The needs of one task or gang: is there such work, and can it be waited for so?"""
    known = {**workflow.tasks, **workflow.gangs}
    for other, need in needs.items():
        if other == name:
            yield Problem(
                path=f"{path}.needs.{other}",
                message=f"{name!r} needs itself",
                remedy="Take it out of needs.",
            )
        elif other not in known:
            yield unknown(f"{path}.needs.{other}", "task or gang", other, known)
        elif need is Need.AFTERCORR:
            yield from _check_aftercorr(path, name, other, workflow)


def _check_aftercorr(path: str, name: str, other: str, workflow: Workflow) -> Iterator[Problem]:
    mine, theirs = workflow.tasks.get(name), workflow.tasks.get(other)
    if mine is None or theirs is None or mine.array is None or theirs.array is None:
        yield Problem(
            path=f"{path}.needs.{other}",
            message="aftercorr joins the items of two arrays, and one of these has none",
            remedy="Write afterok, or give both tasks an array.",
        )
        return
    try:
        counts = [items.inline_items(array) for array in (mine.array, theirs.array)]
    except UserInputError:
        return  # said at the array itself
    if counts[0] is not None and counts[1] is not None and len(counts[0]) != len(counts[1]):
        yield Problem(
            path=f"{path}.needs.{other}",
            message=f"aftercorr joins {len(counts[0])} items to {len(counts[1])}",
            remedy="Give both arrays the same number of items, or write afterok.",
        )


def check_cycles(workflow: Workflow) -> Iterator[Problem]:
    """One problem for each circle of needs, told once, from its first member on."""
    needs = workflow.needs
    done: set[str] = set()
    for start in needs:
        circle = _circle(start, needs, done)
        if circle:
            kind = "tasks" if circle[0] in workflow.tasks else "gangs"
            yield Problem(
                path=f"{kind}.{circle[0]}.needs",
                message=f"the needs go in a circle: {' → '.join([*circle, circle[0]])}",
                remedy="Take one of these needs out.",
            )


def _circle(
    start: str, needs: Mapping[str, Mapping[str, Need]], done: set[str]
) -> tuple[str, ...] | None:
    """Depth first without recursion, so that a chain of 10,000 tasks is no problem."""
    path: dict[str, None] = {}  # the names on the way here, in order
    stack: list[tuple[str, bool]] = [(start, False)]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            del path[name]
            done.add(name)
            continue
        if name in done or name not in needs:
            continue
        if name in path:
            way = list(path)
            done.update(way)
            circle = way[way.index(name) :]
            return tuple(circle) if len(circle) > 1 else None
        path[name] = None
        stack.append((name, True))
        stack.extend((other, False) for other in needs[name])
    return None
