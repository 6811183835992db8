"""Documents: frozen dataclasses that travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

# For pydantic's TypeAdapter, which validates the plain dataclasses at the edge: an unknown key is an
# error, and "3" is not a number. The core itself needs no pydantic.
STRICT: Any = {"extra": "forbid", "strict": True}

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_PLAIN = frozenset({str, int, float, bool, type(None)})


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def to_json(value: object) -> Json:
    """A value as JSON data: dataclasses and mappings become objects, tuples become lists.

    Mappings keep their order; sets are not taken, because they have none.

    Raises:
        TypeError: a value that JSON cannot carry; a bug in cfslurm.
    """
    if type(value) in _PLAIN:  # most of a graph of 10,000 nodes ends here
        return value  # type: ignore[return-value]
    if isinstance(value, Enum):
        return to_json(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_json(getattr(value, name)) for name in _field_names(type(value))}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    raise TypeError(f"not JSON: {type(value).__name__}")
