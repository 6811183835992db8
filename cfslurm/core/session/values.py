"""Values in a session as JSON, without loss: what goes in comes out, equal and of the same type.

JSON has no bytes, tuples, NaN, exact big integers or arrays. Those become an object with one key
that begins with ``$``; a key of the user's that begins with ``$`` gets a second one.

    {"$int": "-0x1f…"}          an integer beyond 53 bits, which other JSON readers would round
    {"$float": "nan"}           nan, inf, -inf
    {"$bytes": "aGk="}          bytes, in base64
    {"$tuple": [1, 2]}
    {"$scalar": ["<f4", "cdcccc3d"]}          a numpy scalar: dtype and its bytes
    {"$array": ["<f4", [3], "AACA…"]}         an array, where there is no dataset for it
    {"$data": "weights/layer%2F1"}            an array or long bytes: a dataset below `state`

Exact types only: a subclass (an Enum, a defaultdict, a masked array) would come back as another
type, so it is refused with a hint.
"""

from __future__ import annotations

import base64
import json
import math
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from cfslurm.core.documents import Json
from cfslurm.core.session.hints import SURROGATES_HINT, hint_for
from cfslurm.errors import SessionError

if TYPE_CHECKING:
    from cfslurm.core.session.arrays import Array

    Datum = Array | bytes

MAX_DEPTH = 64
INLINE_BYTES = 1024
_EXACT = 2**53 - 1
At = tuple[str | int, ...]


def encode(
    value: object, *, name: str, at: At = (), data: MutableMapping[str, Datum] | None = None
) -> Json:
    """A value as JSON. Arrays and long bytes go into ``data`` by path; without it, into the JSON.

    ``name`` and ``at`` say in errors what the value is: ``session['weights'][3]``. Arrays in ``data``
    are the caller's own, not copies.

    Raises:
        SessionError: a value that a session cannot keep.
    """
    return _Encoder(name, data).encode(value, at)


class _Encoder:
    def __init__(self, name: str, data: MutableMapping[str, Datum] | None) -> None:
        self.name = name
        self.data = data

    def encode(self, value: object, at: At) -> Json:
        if len(at) > MAX_DEPTH:
            raise SessionError(
                f"{self.name}[{at[0]!r}]… is deeper than {MAX_DEPTH} levels, or contains itself",
                remedy="Store a flatter value; refer to the same thing by a name or a number.",
            )
        if _is_plain(value):
            return value  # type: ignore[return-value]  # mypy does not follow _is_plain
        if type(value) is int:
            return {"$int": hex(value)}
        if type(value) is float:
            return {"$float": repr(value)}
        if type(value) is str:
            return self._text(value, at)
        if type(value) is bytes:
            return self._bytes(value, at)
        return self._container(value, at)

    def _text(self, value: str, at: At) -> str:
        if not value.isascii() and not _is_unicode(value):
            raise self._refused(at, "holds a lone surrogate, which is no text", SURROGATES_HINT)
        return value

    def _bytes(self, value: bytes, at: At) -> Json:
        if self.data is None or len(value) <= INLINE_BYTES:
            return {"$bytes": base64.b64encode(value).decode("ascii")}
        return self._outside(value, at)

    def _outside(self, value: Datum, at: At) -> Json:
        assert self.data is not None
        path = "/".join(link_name(part) for part in at)
        self.data[path] = value
        return {"$data": path}

    def _container(self, value: object, at: At) -> Json:
        if type(value) is list:
            return self._items(value, at)
        if type(value) is tuple:
            return {"$tuple": self._items(value, at)}
        if type(value) is dict:
            return {self._key(k, at): self.encode(item, (*at, k)) for k, item in value.items()}
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            return self._scalar(value, at)
        if numpy is not None and type(value) is numpy.ndarray:
            return self._array(cast("Array", value), at)
        raise self._refused(at, f"is of type {type(value).__qualname__}", hint_for(value))

    def _items(self, values: Sequence[Any], at: At) -> list[Json]:
        return [
            item if _is_plain(item) else self.encode(item, (*at, i))
            for i, item in enumerate(values)
        ]

    def _key(self, key: object, at: At) -> str:
        if type(key) is not str:
            what = f"has a key of type {type(key).__qualname__}"
            raise self._refused(at, what, "Use text as keys, or a list of pairs.")
        text = self._text(key, (*at, key))
        return f"${text}" if text.startswith("$") else text

    def _scalar(self, value: Any, at: At) -> Json:
        from cfslurm.core.session import arrays

        if hint := arrays.scalar_objection(value):
            raise self._refused(at, f"is of type numpy.{type(value).__name__}", hint)
        return {"$scalar": arrays.inline_scalar(value)}

    def _array(self, value: Array, at: At) -> Json:
        from cfslurm.core.session import arrays

        if hint := arrays.objection(value.dtype):
            raise self._refused(at, f"is an array of dtype {value.dtype}", hint)
        if value.ndim + (value.dtype.kind == "U") > arrays.MAX_RANK:
            raise self._refused(at, f"has {value.ndim} dimensions", "Reshape it to fewer.")
        if self.data is not None:
            return self._outside(value, at)
        if value.dtype.names is not None:
            what = f"is an array of dtype {value.dtype}"
            raise self._refused(at, what, "Store its fields as arrays, or put it into the state.")
        return {"$array": arrays.inline(value)}

    def _refused(self, at: At, what: str, hint: str) -> SessionError:
        place = self.name + "".join(f"[{_shown(part)}]" for part in at)
        return SessionError(f"{place} {what}, which a session cannot keep", remedy=hint)


def _shown(part: object) -> str:
    text = ascii(part)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _is_plain(value: object) -> bool:
    """True for what JSON itself says without loss; most of what a session holds."""
    kind = type(value)
    if kind is str:
        return value.isascii()  # type: ignore[attr-defined, no-any-return]
    if kind is int:
        return -_EXACT <= value <= _EXACT  # type: ignore[operator]
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]
    return value is None or kind is bool


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def link_name(part: str | int) -> str:
    """A key as the name of an HDF5 link: ASCII, never empty, ``.`` or with a slash.

    >>> link_name("layer/1"), link_name("."), link_name("")
    ('layer%2F1', '%2E', '%')
    """
    name = quote(str(part), safe="")
    if not name:
        return "%"
    return name.replace(".", "%2E") if not name.strip(".") else name


def decode(tree: Json, *, data: Mapping[str, Datum] | None = None) -> Any:
    """Undo `encode`: the value, made of objects of its own.

    Raises:
        SessionError: no value was ever written so; a newer cfslurm, or a stranger, wrote it.
    """
    decoder = _Decoder(data or {})
    value = decoder.decode(tree, 0)
    if lost := decoder.data.keys() - decoder.used:
        raise _unknown(f"datasets that nothing refers to: {', '.join(sorted(lost))[:200]}")
    return value


class _Decoder:
    def __init__(self, data: Mapping[str, Datum]) -> None:
        self.data = data
        self.used: set[str] = set()

    def decode(self, tree: Json, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _unknown(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(tree, list):
            return [self.decode(item, depth + 1) for item in tree]
        if isinstance(tree, dict):
            if len(tree) == 1:
                [(tag, content)] = tree.items()
                if tag.startswith("$") and not tag.startswith("$$"):
                    return self._tagged(tag, content, depth)
            return {plain_key(key): self.decode(item, depth + 1) for key, item in tree.items()}
        return tree

    def _tagged(self, tag: str, content: Json, depth: int) -> Any:
        try:
            match tag, content:
                case "$int", str(text):
                    return int(text, 16)
                case "$float", "nan" | "inf" | "-inf":
                    return float(content)
                case "$bytes", str(text):
                    return base64.b64decode(text, validate=True)
                case "$tuple", list(items):
                    return tuple(self.decode(item, depth + 1) for item in items)
                case "$data", str(path) if path in self.data and path not in self.used:
                    self.used.add(path)
                    return self.data[path]
                case (("$array" | "$scalar"), list()):
                    return _decode_array(tag, content)
                case _:
                    raise _unknown(f"{tag[:40]!r} with {type(content).__name__}")
        except ValueError as error:
            raise _unknown(f"{tag} ({error})") from error


def _decode_array(tag: str, content: Json) -> Any:
    from cfslurm.core.session import arrays

    return arrays.from_inline(content) if tag == "$array" else arrays.from_inline_scalar(content)


def plain_key(key: str) -> str:
    """A key of an encoded mapping as the user wrote it."""
    if not key.startswith("$"):
        return key
    if key.startswith("$$"):
        return key[1:]
    raise _unknown(f"the key {key[:40]!r} beside others")


def _unknown(what: str) -> SessionError:
    return SessionError(
        f"the session holds a value that this cfslurm cannot read: {what}",
        remedy="Upgrade cfslurm; if that does not help, move the newest generation out of the folder.",
    )


def to_bytes(tree: Json) -> bytes:
    """JSON as one line of UTF-8, without a line break."""
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def from_bytes(raw: bytes) -> Json:
    """Undo `to_bytes`.

    Raises:
        SessionError: it is no JSON, or too deep.
    """
    try:
        tree: Json = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _unknown(f"not JSON ({error})") from error
    return tree


def _no_constant(text: str) -> float:
    raise ValueError(text)
