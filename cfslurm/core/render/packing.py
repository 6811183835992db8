"""Items → array tasks: few enough for Slurm, many enough to keep every GPU busy to the end."""

from __future__ import annotations

# A task of some minutes costs Slurm little and loses little when it is preempted.
TARGET_TASK_S = 300.0
# More tasks than places, so that faster nodes take more of them.
TASKS_PER_PLACE = 2


def pack_size(
    *, count: int, item_s: float, places: int, max_tasks: int, max_items_by_time: int | None
) -> int:
    """How many items one array task runs, one after the other.

    ``places`` is how many tasks can run at once; ``max_items_by_time`` how many items fit into the
    partition's time limit (None without one). MaxArraySize wins over balance, time over both:
    the caller splits the array where the result gives more than ``max_tasks`` tasks.

    >>> pack_size(count=60, item_s=2.0, places=16, max_tasks=1001, max_items_by_time=None)
    2
    >>> pack_size(count=1_000_000, item_s=2.0, places=16, max_tasks=1001, max_items_by_time=None)
    1000
    """
    by_target = max(1, int(TARGET_TASK_S / max(item_s, 1e-3)))
    by_balance = max(1, round(count / (TASKS_PER_PLACE * max(1, places))))
    pack = max(min(by_target, by_balance), -(-count // max_tasks))
    return min(pack, max_items_by_time) if max_items_by_time else pack
