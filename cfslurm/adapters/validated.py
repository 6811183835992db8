"""Data → our frozen dataclasses, strictly: every mistake of a file at once, with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from cfslurm.adapters.yaml_file import KeyPath, YamlDocument
from cfslurm.core.documents import Json
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import InvalidFileError, Problem

T = TypeVar("T")


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """The validator of a dataclass, built once."""
    return TypeAdapter(kind)


def validate(kind: type[T], document: YamlDocument) -> T:
    """Turn the data of a file into a dataclass.

    Raises:
        InvalidFileError: unknown or missing keys, values of the wrong type; all of them.
    """
    if document.data is None:
        raise InvalidFileError(
            document.source,
            (Problem(path="", message="the file is empty", remedy="`cfslurm init` writes one."),),
        )
    try:
        value: T = adapter(cast("Any", kind)).validate_json(json.dumps(document.data))
    except ValidationError as error:
        problems = _problems(error, kind, document)
        raise InvalidFileError(document.source, problems, text=document.text) from error
    return value


def validate_json(kind: type[T], data: Json, source: str) -> T:
    """Turn JSON data that has no line numbers into a dataclass.

    Raises:
        InvalidFileError: as `validate`.
    """
    return validate(kind, YamlDocument(source=source, text="", data=data, places={(): (0, 0)}))


def _problems(
    error: ValidationError, kind: type[object], document: YamlDocument
) -> tuple[Problem, ...]:
    found: dict[KeyPath, Problem] = {}
    for detail in error.errors(include_url=False):
        path = _real_path(detail["loc"], document)
        problem = _problem(dict(detail), path, kind, document)
        if path in found:  # the branches of a union: say all that would have been right
            problem = _joined(found[path], problem)
        found[path] = problem
    return tuple(sorted(found.values(), key=lambda p: (p.line, p.column, p.path)))


def _real_path(loc: Sequence[str | int], document: YamlDocument) -> KeyPath:
    """A pydantic location without the names of union branches that it puts in between."""
    data: Any = document.data
    path: list[str | int] = []
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        inside_mapping = isinstance(data, dict) and (part in data or last)
        inside_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if inside_mapping or inside_list:
            path.append(part)
            data = data[part] if inside_list or part in data else None
    return tuple(path)


def _joined(first: Problem, second: Problem) -> Problem:
    if second.remedy in first.remedy:
        return first
    return Problem(
        path=first.path,
        message=first.message,
        remedy=f"{first.remedy.rstrip('.')}; or: {second.remedy}",
        line=first.line,
        column=first.column,
    )


def _problem(
    detail: Mapping[str, Any], path: KeyPath, kind: type[object], document: YamlDocument
) -> Problem:
    line, column = document.place(path)
    dotted = ".".join(str(part) for part in path)
    name = str(path[-1]) if path else "the document"
    message, remedy = _wording(detail, name, path, kind)
    return Problem(path=dotted, message=message, remedy=remedy, line=line, column=column)


def _wording(
    detail: Mapping[str, Any], name: str, path: KeyPath, kind: type[object]
) -> tuple[str, str]:
    given = detail.get("input")
    if path and isinstance(path[-1], int) and detail["type"] == "string_type":
        text = str(given).lower() if isinstance(given, bool) else str(given)
        item = f"item {path[-1]} of {path[-2]}" if len(path) > 1 else f"item {path[-1]}"
        return f"{item} is {repr(given)[:60]}, not a text", f'Write it in quotes: "{text[:60]}".'
    match detail["type"]:
        case "unexpected_keyword_argument":
            legal = _legal_keys(kind, path[:-1])
            near = nearest(name, legal)
            known = f"Known here: {', '.join(legal)}." if legal else "Take it out."
            return f"unknown key {name[:60]!r}", f"Did you mean {near!r}?" if near else known
        case "missing":
            return f"the key {name!r} is missing", f"Add {name}: here."
        case "string_type" if isinstance(given, int | float) and not isinstance(given, bool):
            return f"{name} is the number {given}, without a unit", _unit_remedy(name, given)
        case "enum" | "literal_error":
            expected = detail["ctx"]["expected"]
            return f"{name} cannot be {repr(given)[:60]}", f"Write one of {expected}."
        case other:
            wanted, example = _WANTED.get(
                other, (detail["msg"], "Compare with `cfslurm schema workflow`.")
            )
            return f"{name} is {repr(given)[:60]}, not {wanted}", example.replace("NAME", name)


_BLOCK = ("a block of keys", "Write keys and values below NAME:.")
_LIST = ("a list", "Write NAME: [first, second].")
_WHOLE = ("a whole number", "Write a whole number: NAME: 8192.")
_WANTED = {
    "string_type": ("a text", "Write a text, in quotes if need be: NAME: '…'."),
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _BLOCK,
    "mapping_type": _BLOCK,
    "dataclass_type": _BLOCK,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": ("a number", "Write a number: NAME: 1.5."),
    "bool_type": ("true or false", "Write NAME: true or NAME: false."),
}


def _unit_remedy(name: str, number: object) -> str:
    if name in ("time", "deadline", "checkpoint", "signal_lead"):
        return f"Write {number}s, {number}m or {number}h: Slurm would read {number} as minutes."
    if name == "mem":
        return f"Write {number}M or {number}G."
    return f"Write it in quotes: {name}: '{number}'."


def _legal_keys(kind: Any, path: KeyPath) -> tuple[str, ...]:
    """The keys of the dataclass at a path."""
    current: Any = kind
    for part in path:
        if is_dataclass(current):
            hints = get_type_hints(current)
            if part not in hints:
                return ()
            current = hints[str(part)]
        else:
            current = _inner(current)
    return tuple(sorted(field.name for field in fields(current))) if (
        current := _dataclass_in(current)
    ) else ()  # fmt: skip


def _inner(kind: Any) -> Any:
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    return arguments[-1] if arguments else None


def _dataclass_in(kind: Any) -> Any:
    if is_dataclass(kind):
        return kind
    return next((argument for argument in get_args(kind) if is_dataclass(argument)), None)
