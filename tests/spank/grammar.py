"""docs/reference/node-manifest.md once more, in Python: what the reader in C must take and refuse."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_FIELD = re.compile(rb"(?:[A-Za-z0-9_.\-~/:@+=,]|%[0-9A-F]{2})*")
_PLAIN = re.compile(rb"[A-Za-z0-9_.\-~/:@+=,]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_NUMBER = re.compile(rb"0|[1-9][0-9]*")
_COMMIT = re.compile(rb"[0-9a-f]{40}")
_FIELDS = {b"run": 2, b"node": 2, b"class": 4, b"model": 12}
_KEYS = {b"run": 0, b"node": 1, b"class": 1, b"model": 2}
_ORDER = (b"run", b"node", b"class", b"model")


def is_manifest(data: bytes) -> bool:
    """True for what a reader must take."""
    try:
        _check(data)
    except _WrongError:
        return False
    return True


class _WrongError(Exception):
    pass


def _must(condition: object) -> None:
    if not condition:
        raise _WrongError


def _check(data: bytes) -> None:
    _must(len(data) <= 8 * 1024 * 1024 and data.endswith(b"\n"))
    lines = data[:-1].split(b"\n")
    _must(2 <= len(lines) <= 200_000 and all(len(line) < 16_384 for line in lines))
    _must(lines[0] == b"cfslurm-node-manifest\t1")
    _must(lines[-1] == b"end\t%d" % (len(lines) - 2))
    last: tuple[object, ...] = ()
    for line in lines[1:-1]:
        kind, *fields = line.split(b"\t")
        _must(kind in _FIELDS and len(fields) == _FIELDS[kind])
        values = [_decoded(field) for field in fields]
        {b"run": _run, b"node": _node, b"class": _class, b"model": _model}[kind](fields, values)
        here = (_ORDER.index(kind), *values[: _KEYS[kind]])
        _must(here > last)
        last = here


def _decoded(field: bytes) -> bytes:
    _must(_FIELD.fullmatch(field))
    value = unquote_to_bytes(field)
    again = b"".join(
        bytes([byte]) if _PLAIN.fullmatch(bytes([byte])) else b"%%%02X" % byte for byte in value
    )
    _must(again == field and not _CONTROL.search(value))
    return value


def _run(fields: list[bytes], values: list[bytes]) -> None:
    _plain(fields[0], 255)
    _path(values[1])


def _node(fields: list[bytes], values: list[bytes]) -> None:
    _plain(fields[0], 255)
    _plain(fields[1], 255)


def _class(fields: list[bytes], values: list[bytes]) -> None:
    _plain(fields[0], 255)
    _must(len(values[1]) <= 255)
    _number(fields[2], 1024)
    _number(fields[3], 2**31 - 1)


def _model(fields: list[bytes], values: list[bytes]) -> None:
    _plain(fields[0], 255)
    _plain(fields[1], 255)
    _must(len(values[2]) <= 200 and 1 <= len(values[3]) <= 300 and 1 <= len(values[4]) <= 200)
    _must(_COMMIT.fullmatch(fields[5]))
    _plain(fields[6], 63)
    _path(values[7])
    for field, most in zip(fields[8:], (1024, 2**31 - 1, 4096, 2**53 - 1), strict=True):
        _number(field, most)


def _plain(field: bytes, most: int) -> None:
    _must(len(field) <= most and _PLAIN.fullmatch(field))


def _path(value: bytes) -> None:
    root, *parts = value.split(b"/")
    _must(not root and parts and {b"", b".", b".."}.isdisjoint(parts) and len(value) <= 4095)


def _number(field: bytes, most: int) -> None:
    _must(_NUMBER.fullmatch(field) and int(field) <= most)
