"""Arrays in a session: which dtypes are kept, and how those that HDF5 lacks are stored.

Imported only where an array is at hand, because numpy is slow to import.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_FLOATS = (np.float16, np.float32, np.float64)
_COMPLEX = (np.complex64, np.complex128)
_SIMPLE_TAG = re.compile(
    r"\|b1|\|[iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(8|16)|\|S\d{1,9}|[<>]U\d{1,9}"
    r"|[<>][mM]8(\[\d{0,9}[A-Za-z]{1,2}\])?"
)
MAX_RANK = 32
_MAX_ITEM_BYTES = 2**31


def objection(dtype: np.dtype[Any]) -> str | None:
    """Why arrays of a dtype cannot be stored, as a hint; None if they can."""
    if dtype.hasobject:
        return "Give it a dtype of numbers or fixed-length text; objects are not stored."
    if dtype.names is not None:
        return _structure_objection(dtype)
    if dtype.itemsize == 0:
        return "Give its elements at least one byte."
    if _is_number(dtype) or dtype.type in (np.bytes_, np.str_, np.datetime64, np.timedelta64):
        return None
    if dtype.type in (np.longdouble, np.clongdouble):
        return "Store array.astype('f8'): extended precision differs from machine to machine."
    return f"Store array.view('u{dtype.itemsize}') and the name of the dtype beside it."


def _is_number(dtype: np.dtype[Any]) -> bool:
    """True for the numbers that HDF5 has itself."""
    if dtype.type is np.bool_ or dtype.type in _FLOATS or dtype.type in _COMPLEX:
        return True
    return dtype.kind in "iu" and issubclass(dtype.type, np.integer)


def _structure_objection(dtype: np.dtype[Any]) -> str | None:
    end = 0
    fields = dict(dtype.fields or {})
    for name in dtype.names or ():
        field, offset, *title = fields[name]
        base, shape = field.subdtype or (field, ())
        if not name.isprintable() or not name.isascii() or title or offset < end or 0 in shape:
            return "Give the fields plain ASCII names, without titles or overlaps."
        end = offset + field.itemsize
        if objection(base) is not None or not (
            base.names or _is_number(base) or base.type is np.bytes_
        ):
            return f"Store the field {name!r} as an array of its own."
    if not dtype.names:
        return "Give it at least one field."
    if dtype.names == ("r", "i"):
        return "Store it as complex numbers, or rename the fields: HDF5 means complex by r and i."
    return None


def to_stored(array: Array) -> tuple[Array, str | None]:
    """The array that HDF5 gets, in C order, and the tag of its own dtype where the two differ.

    Text (U) becomes code points with one more axis, times (M, m) become their 64-bit numbers.
    """
    dtype = array.dtype
    if dtype.names is None and dtype.kind in "mM":
        return np.array(array, order="C").view(f"{_order(dtype)}i8"), dtype.str
    if dtype.names is None and dtype.kind == "U":
        length = dtype.itemsize // 4
        raw = np.frombuffer(array.tobytes(), dtype=f"{_order(dtype)}u4")
        return raw.reshape((*array.shape, length)), dtype.str
    return np.asarray(array, order="C"), None


def from_stored(stored: Array, tag: str | None) -> Array:
    """Undo `to_stored`.

    Raises:
        ValueError: tag and array do not fit each other.
    """
    if tag is None:
        return stored
    dtype = dtype_of(tag)
    if dtype.kind in "mM" and stored.dtype == np.dtype(f"{_order(dtype)}i8"):
        return stored.view(dtype)
    if dtype.kind == "U" and stored.dtype == np.dtype(f"{_order(dtype)}u4"):
        shape, length = stored.shape[:-1], dtype.itemsize // 4
        if stored.shape[-1:] == (length,):
            return shaped(stored.tobytes(), dtype, shape)
    raise ValueError(f"an array of {stored.dtype} and {stored.shape} is no {tag}")


def _order(dtype: np.dtype[Any]) -> str:
    return ">" if dtype.str.startswith(">") else "<"


def dtype_text(dtype: np.dtype[Any]) -> str:
    """A stored dtype as text: a tag, or JSON for a structure."""
    return dtype.str if dtype.names is None else json.dumps(_described(dtype))


def _described(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_described(base), list(shape)]
    if dtype.names is None:
        return dtype.str
    fields = [dict(dtype.fields or {})[name] for name in dtype.names]
    return {
        "names": list(dtype.names),
        "formats": [_described(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "itemsize": dtype.itemsize,
    }


def dtype_from_text(text: str) -> np.dtype[Any]:
    """Undo `dtype_text`.

    Raises:
        ValueError: it is not one that a session keeps.
    """
    if not text.startswith("{"):
        return dtype_of(text)
    try:
        dtype = _from_description(json.loads(text), 0)
    except (TypeError, RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"no dtype of a session ({error})") from error
    if objection(dtype) is not None:
        raise ValueError("no dtype of a session")
    return dtype


def _from_description(tree: object, depth: int) -> np.dtype[Any]:
    match tree:
        case str(tag):
            return dtype_of(tag)
        case [inner, list(shape)] if depth < MAX_RANK and len(shape) <= MAX_RANK:
            return np.dtype((_from_description(inner, depth + 1), tuple(shape)))
        case {
            "names": list(names), "formats": list(formats), "offsets": list(offsets),
            "itemsize": int(size),
        } if depth < MAX_RANK and 0 < size < _MAX_ITEM_BYTES:  # fmt: skip
            made = [_from_description(one, depth + 1) for one in formats]
            return np.dtype({"names": names, "formats": made, "offsets": offsets, "itemsize": size})
    raise ValueError("no dtype of a session")


def dtype_of(tag: str) -> np.dtype[Any]:
    """The simple dtype that a tag names, as numpy writes it: ``<f4``.

    Raises:
        ValueError: it is not one that a session keeps.
    """
    if not _SIMPLE_TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} is no dtype of a session")
    try:
        dtype = np.dtype(tag)
    except TypeError as error:
        raise ValueError(f"{tag!r} is no dtype of a session") from error
    if dtype.itemsize == 0:
        raise ValueError(f"{tag!r} has no bytes")
    return dtype


def inline(array: Array) -> list[Any]:
    """A simple array as JSON: tag, shape and base64 of its bytes in C order."""
    return [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode("ascii")]


def from_inline(tree: object) -> Array:
    """Undo `inline`.

    Raises:
        ValueError: it is no such list.
    """
    match tree:
        case [str(tag), list(shape), str(text)] if all(type(n) is int and n >= 0 for n in shape):
            return shaped(base64.b64decode(text, validate=True), dtype_of(tag), tuple(shape))
        case _:
            raise ValueError("an array is not written as dtype, shape and base64")


def fits(dtype: np.dtype[Any], shape: tuple[int, ...], size: int) -> bool:
    """True if an array has so many bytes."""
    count = 1
    for length in shape:
        count *= length
    return count * dtype.itemsize == size and len(shape) <= MAX_RANK


def shaped(raw: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """An array of its own, writable; the bytes must be as many as the shape asks for."""
    if not fits(dtype, shape, len(raw)):
        raise ValueError(f"{len(raw)} bytes do not fill an array of {shape} and {dtype}")
    return np.ndarray(shape, dtype, buffer=bytearray(raw)) if raw else np.empty(shape, dtype)


def scalar_objection(scalar: np.generic) -> str | None:
    """Why a numpy scalar cannot be stored, as a hint; None if it can."""
    if isinstance(scalar, np.str_ | np.bytes_):
        return "Store value.item()."
    if isinstance(scalar, np.void):
        return "Store value.item(), or numpy.asarray(value)."
    if type(scalar) is not scalar.dtype.type:
        return "Store value.item()."
    return objection(scalar.dtype)


def inline_scalar(scalar: np.generic) -> list[Any]:
    """A numpy scalar as JSON: tag and hexadecimal bytes, exact to the last bit."""
    return [scalar.dtype.str, scalar.tobytes().hex()]


def from_inline_scalar(tree: object) -> np.generic:
    """Undo `inline_scalar`.

    Raises:
        ValueError: it is no such list.
    """
    match tree:
        case [str(tag), str(text)]:
            found: np.generic = shaped(bytes.fromhex(text), dtype_of(tag), (1,))[0]
            return found
        case _:
            raise ValueError("a numpy scalar is not written as dtype and hexadecimal bytes")
