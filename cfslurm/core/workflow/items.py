"""Items of an array: from a range, a list or the text of a file."""

from __future__ import annotations

import csv
import json
import re

from cfslurm.core.workflow.model import Array, ItemValue
from cfslurm.errors import UserInputError

MAX_ITEMS = 10_000_000
_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})(?::(\d{1,9}))?", re.ASCII)


def range_items(text: str) -> tuple[int, ...]:
    """The numbers of a range, both ends included, as in ``sbatch --array``.

    Raises:
        UserInputError: another form, an empty range, or too many items.

    >>> range_items("0-9:3")
    (0, 3, 6, 9)
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UserInputError(
            f"{text[:40]!r} is not a range", remedy="Write first-last or first-last:step, as 0-59."
        )
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if last < first or step == 0:
        raise UserInputError(
            f"the range {text!r} is empty", remedy="Write the smaller number first, as 0-59."
        )
    if (last - first) // step + 1 > MAX_ITEMS:
        raise UserInputError(
            f"the range {text!r} has more than {MAX_ITEMS} items", remedy="Split the task."
        )
    return tuple(range(first, last + 1, step))


def file_items(text: str, *, name: str) -> tuple[ItemValue, ...]:
    """The items in a file's text; its name's ending says how: ``.jsonl``, ``.csv``, else lines.

    Blank lines are passed over; CRLF and a missing last line break are fine.

    Raises:
        UserInputError: a line is no JSON, a value is a list or nested, a row has other columns.
    """
    if name.endswith(".jsonl"):
        return _jsonl(text, name)
    if name.endswith(".csv"):
        return _csv(text, name)
    return tuple(line.rstrip("\r") for line in text.split("\n") if line.strip())


def _jsonl(text: str, name: str) -> tuple[ItemValue, ...]:
    items: list[ItemValue] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserInputError(
                f"{name}:{number}: not JSON: {str(error)[:80]}",
                remedy="Write one JSON value a line, or rename the file to .txt for plain lines.",
            ) from error
        if not is_item(value):
            raise UserInputError(
                f"{name}:{number}: an item is a text, a number or a flat object",
                remedy="Take nested values apart, or give the item a file name to read.",
            )
        items.append(value)
    return tuple(items)


def _csv(text: str, name: str) -> tuple[ItemValue, ...]:
    try:
        rows = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise UserInputError(
            f"{name}: not CSV: {error}", remedy="Quote fields that hold commas or quotes."
        ) from error
    rows = [row for row in rows if row]
    if not rows:
        return ()
    header = rows[0]
    if len(set(header)) != len(header) or not all(header):
        raise UserInputError(
            f"{name}:1: the header has an empty or a repeated column",
            remedy="Give every column a name of its own.",
        )
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise UserInputError(
                f"{name}:{number}: {len(row)} columns, the header has {len(header)}",
                remedy="Fill the missing columns, or quote fields that hold commas.",
            )
    return tuple(dict(zip(header, row, strict=True)) for row in rows[1:])


def is_item(value: object) -> bool:
    """True for what an item may be: a scalar, or an object of scalars."""
    if isinstance(value, dict):
        return all(
            item is None or isinstance(item, str | int | float | bool) for item in value.values()
        )
    return value is None or isinstance(value, str | int | float | bool)


def inline_items(array: Array) -> tuple[ItemValue, ...] | None:
    """The items that stand in the workflow itself; None if they lie in a file.

    Raises:
        UserInputError: a bad range.
    """
    if array.range is not None:
        return range_items(array.range)
    return array.values


def item_fields(item: ItemValue) -> dict[str, str]:
    """The placeholders that an item fills: ``item``, or ``item.KEY`` for each of its keys.

    >>> item_fields({"q": "why?", "n": 3})
    {'item.q': 'why?', 'item.n': '3', 'item': '{"q": "why?", "n": 3}'}
    """
    if isinstance(item, str):
        return {"item": item}
    text = json.dumps(item, ensure_ascii=False)
    if not isinstance(item, dict):
        return {"item": text}
    fields = {
        f"item.{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in item.items()
    }
    return {**fields, "item": text}
