"""Files that hold the items of an array."""

from __future__ import annotations

from pathlib import Path

from cfslurm.core.workflow.items import MAX_ITEMS, file_items, inline_items
from cfslurm.core.workflow.model import Array, ItemValue, Workflow
from cfslurm.errors import UserInputError

MAX_BYTES = 4 * 1024**3


def load_items(workflow: Workflow, workdir: Path) -> dict[str, tuple[ItemValue, ...]]:
    """The items of every task with an array; relative file names start at ``workdir``.

    Raises:
        UserInputError: a file is missing, empty, too large, no UTF-8, or has a line that is no item.
    """
    return {
        name: _items(task.array, f"tasks.{name}.array", workdir)
        for name, task in workflow.tasks.items()
        if task.array is not None
    }


def _items(array: Array, place: str, workdir: Path) -> tuple[ItemValue, ...]:
    inline = inline_items(array)
    if inline is not None:
        return inline
    assert array.file is not None
    path = workdir / array.file
    items = file_items(_text(path, place), name=str(path))
    if not items:
        raise UserInputError(
            f"{place}.file: {path} holds no item", remedy="Write one item a line into it."
        )
    if len(items) > MAX_ITEMS:
        raise UserInputError(
            f"{place}.file: {path} holds more than {MAX_ITEMS} items", remedy="Split the task."
        )
    return items


def _text(path: Path, place: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserInputError(
                f"{place}.file: {path} is larger than 4 GiB",
                remedy="Let items name files that hold the data.",
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserInputError(
            f"{place}.file: {path} is no UTF-8 text (byte {error.start})",
            remedy="Save it as UTF-8.",
        ) from error
    except OSError as error:
        raise UserInputError(
            f"{place}.file: cannot read {path}: {error.strerror}",
            remedy="Relative names start at the folder of the workflow's file.",
        ) from error
