"""What to store instead of a value that a session cannot keep."""

from __future__ import annotations

SURROGATES_HINT = "Store text.encode('utf-8', 'surrogateescape'), which is bytes."
_PLAIN_HINT = "Store what it was made from: numbers, text, bytes, lists, dicts, arrays."
_HINTS = {
    "set": "Store sorted(value).",
    "frozenset": "Store sorted(value).",
    "complex": "Store [value.real, value.imag].",
    "bytearray": "Store bytes(value).",
    "memoryview": "Store bytes(value).",
    "datetime": "Store value.isoformat().",
    "date": "Store value.isoformat().",
    "PosixPath": "Store str(value).",
    "Tensor": "Store value.detach().cpu().numpy().",
    "generator": "Store list(value).",
    "range": "Store list(value).",
    "function": "Store the name of what to call, not the function.",
}


def hint_for(value: object) -> str:
    """The way out for a value of a type that is not kept."""
    kind = type(value)
    if kind.__name__ in _HINTS:
        return _HINTS[kind.__name__]
    if hasattr(kind, "__dataclass_fields__"):
        return "Store dataclasses.asdict(value)."
    if hasattr(kind, "__members__"):
        return "Store value.value."
    for base in (dict, list, tuple, str, bytes, int, float):
        if isinstance(value, base):
            return f"Store {base.__name__}(value): a subclass would come back as plain {base.__name__}."
    if "ndarray" in (base.__name__ for base in kind.__mro__):
        return "Store numpy.asarray(value): a subclass would come back as a plain array."
    return _PLAIN_HINT
