"""YAML as people mean it: YAML 1.2, every key once, every value with its place, nothing that explodes.

Stock PyYAML reads ``time: 2:00:00`` as the number 7200, ``no`` as false and lets the second of two
equal keys win. Here only ``true``/``false``, ``null``/``~``, decimal integers and floats are special.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import yaml

from cfslurm.core.documents import Json
from cfslurm.errors import InvalidFileError, Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 100_000

Place = tuple[int, int]
KeyPath = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_CORE_TAG = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
# Words that YAML 1.1 reads as booleans. Here they are texts; nobody writes them meaning a text.
_OLD_BOOLEANS = frozenset(
    {"yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """The data of a file, and the line and column (from 1) of every key path in it."""

    source: str
    text: str
    data: Json
    places: Mapping[KeyPath, Place]

    def place(self, path: KeyPath) -> Place:
        """Where a path stands; for one that is not in the file, where its nearest parent stands."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def read_yaml(raw: bytes, source: str) -> YamlDocument:
    """Read one YAML document.

    Raises:
        InvalidFileError: too large, no UTF-8, no YAML, a repeated key, a tag, a merge key, or aliases
            that expand without end.
    """
    if len(raw) > MAX_BYTES:
        raise _invalid(
            source,
            f"the file has {len(raw)} bytes, more than {MAX_BYTES}",
            "Put long lists of items into a file of their own: array: {file: items.jsonl}.",
        )
    text = _decode(raw, source)
    try:
        _refuse_depth(text, source)
        root = yaml.compose(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, source, text) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _invalid(source, f"not YAML: {str(error)[:120]}", "Check the file with a YAML editor.",
                       text=text) from error  # fmt: skip
    builder = _Builder()
    data = None if root is None else builder.build(root, (), depth=0)
    if builder.problems:
        raise InvalidFileError(source, tuple(builder.problems), text=text)
    return YamlDocument(source=source, text=text, data=data, places=builder.places)


def _loader() -> Any:
    """PyYAML's C scanner where this installation has it."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refuse_depth(text: str, source: str) -> None:
    """Refuse what would overflow the stack of PyYAML's C composer, which recurses without a limit.

    Reading events recurses nowhere; 100,000 opening brackets are harmless here and end the process there.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark = event.start_mark
            problem = Problem(
                path="",
                message=f"nested deeper than {MAX_DEPTH}",
                remedy="Make the structure flatter.",
                line=mark.line + 1 if mark else 0,
                column=mark.column + 1 if mark else 0,
            )
            raise InvalidFileError(source, (problem,), text=text)


def _decode(raw: bytes, source: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _invalid(
            source, f"line {line} holds a byte that is no UTF-8", "Save the file as UTF-8."
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _invalid(source, f"line {line} holds a NUL character", "Is this a text file?")
    return text


def _syntax_error(error: yaml.MarkedYAMLError, source: str, text: str) -> InvalidFileError:
    mark = error.problem_mark or error.context_mark
    problem = Problem(
        path="",
        message=f"not YAML: {error.problem or error.context}",
        remedy="Check indentation, colons and quotes here; texts with : or # need quotes.",
        line=mark.line + 1 if mark else 0,
        column=mark.column + 1 if mark else 0,
    )
    return InvalidFileError(source, (problem,), text=text)


def _invalid(source: str, message: str, remedy: str, *, text: str = "") -> InvalidFileError:
    return InvalidFileError(source, (Problem(path="", message=message, remedy=remedy),), text=text)


class _Builder:
    """Nodes → data, counting them with every alias expanded."""

    def __init__(self) -> None:
        self.places: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []
        self._count = 0
        self._open: set[int] = set()
        self._stopped = False

    def build(self, node: yaml.Node, path: KeyPath, *, depth: int) -> Json:
        self.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        self._count += 1
        if self._stopped or self._is_too_much(node, path, depth):
            self._stopped = True
            return None
        if not node.tag.startswith(_CORE_TAG) or node.tag.startswith(f"{_CORE_TAG}python"):
            self._add(node, path, f"the tag {node.tag[:60]!r}", "Leave tags out.")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [
                    self.build(item, (*path, index), depth=depth + 1)
                    for index, item in enumerate(node.value)
                ]
            return self._mapping(node, path, depth)
        finally:
            self._open.discard(id(node))

    def _is_too_much(self, node: yaml.Node, path: KeyPath, depth: int) -> bool:
        if id(node) in self._open:
            self._add(node, path, "an alias that contains itself", "Write the block out.")
        elif depth > MAX_DEPTH:
            self._add(node, path, f"nested deeper than {MAX_DEPTH}", "Make the structure flatter.")
        elif self._count > MAX_NODES:
            self._add(
                node,
                path,
                f"more than {MAX_NODES} values, aliases expanded",
                "Put long lists of items into a file of their own: array: {file: items.jsonl}.",
            )
        else:
            return False
        return True

    def _mapping(self, node: yaml.Node, path: KeyPath, depth: int) -> Json:
        data: dict[str, Json] = {}
        for key_node, value_node in node.value:
            if self._stopped:
                break
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in data:
                self._add(key_node, (*path, key), f"the key {key[:60]!r} stands here twice",
                          "Keep one of them; the first would be silently ignored.")  # fmt: skip
                continue
            mark = key_node.start_mark
            self.places[(*path, key)] = (mark.line + 1, mark.column + 1)
            data[key] = self.build(value_node, (*path, key), depth=depth + 1)
        return data

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._add(node, path, "a key that is no text", "Write key: value.")
            return None
        if node.value == "<<" and not node.style:
            self._add(node, path, "merge keys (<<) are not part of YAML 1.2", "Write the keys out.")
            return None
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Json:
        text = str(node.value)
        if node.style:  # quoted or block; the C scanner writes "" for plain, the other None
            return text
        if text in _OLD_BOOLEANS:
            self._add(
                node,
                path,
                f"{text} is a boolean in YAML 1.1 and a text in YAML 1.2",
                f'Write true or false, or "{text}" in quotes.',
            )
            return None
        return _plain(text)

    def _add(self, node: yaml.Node, path: KeyPath, message: str, remedy: str) -> None:
        self.problems.append(
            Problem(
                path=".".join(str(part) for part in path),
                message=message,
                remedy=remedy,
                line=node.start_mark.line + 1,
                column=node.start_mark.column + 1,
            )
        )


def _plain(text: str) -> Json:
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and isfinite(float(text)):
        return float(text)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes YAML that our reader reads back exactly."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """Where PyYAML's own choice would not be read back as the same text.

    It quotes what YAML 1.1 misreads, and leaves ``08`` and ``1e5`` plain, which are numbers in 1.2.
    It writes U+0085 as the line break that it was in 1.1; between double quotes it is escaped.
    """
    lines = text.split("\n")
    if not all(line.isprintable() for line in lines):
        return '"'
    if len(lines) > 1:
        return "|" if text == text.strip() else '"'
    return None if isinstance(_plain(text), str) else "'"


_Dumper.add_representer(str, _represent_text)


def write_yaml(data: Json) -> str:
    """Data as YAML text, keys in their order."""
    text: str = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return text
