"""Objects as plain data and back: only of classes that were named before, and no code of theirs runs.

An object becomes a dict with ``"*"``, the name of its class, and its attributes; what a session can
keep by itself stays as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from cfslurm.errors import SessionError

_CLASS = "*"
_PLAIN = (bool, int, float, str, bytes, type(None))
_TEXTS: dict[str, Any] = {"datetime": datetime, "date": date, "time": time}
_SLOTS = "__slots__"


class Objects:
    """The classes whose objects may be kept: those named, and all of some packages."""

    def __init__(self, classes: Iterable[type], *, packages: tuple[str, ...] = ()) -> None:
        self._classes = {_name(cls): cls for cls in classes}
        self._packages = packages

    def encode(self, value: object) -> Any:
        """Plain data for a value.

        Raises:
            SessionError: it is, or holds, an object of another class.
        """
        if isinstance(value, _PLAIN) and not isinstance(value, Enum):
            return value
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            return type(value)(self.encode(item) for item in value)
        if type(value) is dict:
            return self._encode_dict(value)
        if type(value) in (set, frozenset):
            assert isinstance(value, set | frozenset)
            items = sorted((self.encode(item) for item in value), key=repr)
            return {_CLASS: type(value).__name__, "items": items}
        return self._encode_standard(value) or self._encode_object(value)

    def _encode_dict(self, value: dict[Any, Any]) -> Any:
        if all(isinstance(key, str) for key in value) and _CLASS not in value:
            return {key: self.encode(item) for key, item in value.items()}
        pairs = [(self.encode(key), self.encode(item)) for key, item in value.items()]
        return {_CLASS: "dict", "items": pairs}

    def _encode_standard(self, value: object) -> Any:
        for name, kind in _TEXTS.items():
            if type(value) is kind:
                assert isinstance(value, datetime | date | time)
                return {_CLASS: name, "text": value.isoformat()}
        if isinstance(value, timedelta):
            parts = (value.days, value.seconds, value.microseconds)
            return {_CLASS: "timedelta", "parts": parts}
        if isinstance(value, UUID):
            return {_CLASS: "uuid", "text": str(value)}
        return None

    def _encode_object(self, value: object) -> Any:
        name = _name(type(value))
        self._check(name)
        if isinstance(value, Enum):
            return {_CLASS: name, "member": value.name}
        return {_CLASS: name, "attributes": self.encode(_attributes(value))}

    def decode(self, data: Any) -> Any:
        """The value again.

        Raises:
            SessionError: the data tell of a class that was not named, or of none.
        """
        if isinstance(data, list | tuple):
            return type(data)(self.decode(item) for item in data)
        if not isinstance(data, dict):
            return data
        match data:
            case {"*": "dict", "items": items}:
                return {self.decode(key): self.decode(item) for key, item in items}
            case {"*": "set", "items": items}:
                return {self.decode(item) for item in items}
            case {"*": "frozenset", "items": items}:
                return frozenset(self.decode(item) for item in items)
            case {"*": "timedelta", "parts": (days, seconds, microseconds)}:
                return timedelta(days=days, seconds=seconds, microseconds=microseconds)
            case {"*": "uuid", "text": str(text)}:
                return UUID(text)
            case {"*": str(name), "text": str(text)} if name in _TEXTS:
                return _TEXTS[name].fromisoformat(text)
            case {"*": str(name)}:
                return self._decode_object(name, data)
            case _:
                return {key: self.decode(item) for key, item in data.items()}

    def _decode_object(self, name: str, data: dict[str, Any]) -> Any:
        self._check(name)
        cls = self._classes.get(name) or _imported(name)
        if "member" in data and issubclass(cls, Enum):
            return cls[data["member"]]
        found: object = object.__new__(cls)
        for attribute, item in self.decode(data["attributes"]).items():
            object.__setattr__(found, attribute, item)
        return found

    def _check(self, name: str) -> None:
        package = name.split(":", 1)[0].split(".", 1)[0]
        if name not in self._classes and package not in self._packages:
            raise SessionError(
                f"a session keeps no object of the class {name.replace(':', '.')}",
                remedy="Name the class in types=, or keep plain data instead of the object.",
            )


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _attributes(value: object) -> dict[str, Any]:
    """All attributes of an object, also of those in slots; what has no value is left out."""
    slots = [
        slot
        for cls in type(value).__mro__
        for slot in _as_tuple(cls.__dict__.get(_SLOTS, ()))
        if slot not in ("__dict__", "__weakref__")
    ]
    found = {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)}
    return {**found, **getattr(value, "__dict__", {})}


def _as_tuple(slots: str | Iterable[str]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _imported(name: str) -> type:
    """A class of an allowed package, by name.

    Raises:
        SessionError: there is no class of that name.
    """
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        raise SessionError(
            f"there is no class {name.replace(':', '.')}",
            remedy="The installed version of its package may be another than the one that saved it.",
        )
    return found
