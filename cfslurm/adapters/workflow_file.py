"""Workflow files: YAML or Python in, one checked `Workflow` out; and back to YAML."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from cfslurm.adapters.validated import adapter, validate, validate_json
from cfslurm.adapters.yaml_file import KeyPath, YamlDocument, read_yaml, write_yaml
from cfslurm.core.documents import Json, to_json
from cfslurm.core.slurm.units import DURATION_PATTERN, SIZE_PATTERN
from cfslurm.core.workflow.check import check
from cfslurm.core.workflow.model import Workflow
from cfslurm.core.workflow.names import NAME_PATTERN
from cfslurm.errors import InvalidFileError, Problem, UserInputError


def load_workflow(path: Path) -> Workflow:
    """Read and check a workflow: ``.py`` files define ``workflow``, anything else is YAML.

    A ``.py`` file is the user's own program and runs as such.

    Raises:
        UserInputError: the file cannot be read.
        InvalidFileError: everything that is wrong with it.
    """
    if path.suffix == ".py":
        return _load_python(path)
    return read_workflow(_read(path), str(path))


def read_workflow(raw: bytes, source: str) -> Workflow:
    """Read and check the bytes of a YAML workflow.

    Raises:
        InvalidFileError: everything that is wrong with it.
    """
    document = read_yaml(raw, source)
    spelled = replace(document, data=_spelled_out(document))
    return _checked(validate(Workflow, spelled), spelled)


def dump_workflow(workflow: Workflow) -> str:
    """A workflow as YAML; reading it back gives an equal one. Defaults are left out."""
    return write_yaml(_without_defaults(workflow))


def workflow_schema() -> Json:
    """The JSON Schema of the YAML form, for editors."""
    schema: Any = adapter(Workflow).json_schema()
    definitions = schema["$defs"]
    for name in ("Task", "Component"):
        properties = definitions[name]["properties"]
        properties["command"] = {"anyOf": [properties["command"], {"type": "string"}]}
    for name in ("Task", "Gang"):
        properties = definitions[name]["properties"]
        names = {"type": "array", "items": {"type": "string"}}
        properties["needs"] = {"anyOf": [properties["needs"], names]}
    for name, key, pattern in (
        ("Task", "time", DURATION_PATTERN),
        ("Gang", "time", DURATION_PATTERN),
        ("SessionSpec", "checkpoint", DURATION_PATTERN),
        ("Resources", "mem", SIZE_PATTERN),
    ):
        definitions[name]["properties"][key]["pattern"] = pattern
    schema["properties"]["name"]["pattern"] = NAME_PATTERN
    for key in ("models", "tasks", "gangs"):
        schema["properties"][key]["propertyNames"] = {"pattern": NAME_PATTERN}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "cfslurm workflow, version 1",
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserInputError(
            f"cannot read the workflow {path}: {error.strerror}",
            remedy="Check the name; `cfslurm init` writes a first workflow.",
        ) from error


def _load_python(path: Path) -> Workflow:
    _read(path)
    names = runpy.run_path(str(path), run_name="cfslurm_workflow")
    found = names.get("workflow")
    if not isinstance(found, Workflow):
        raise UserInputError(
            f"{path} defines no Workflow by the name of workflow",
            remedy="Write `workflow = Workflow(name=…, tasks={…})` at the file's top level.",
        )
    try:
        data = to_json(found)
    except TypeError as error:
        raise UserInputError(
            f"{path}: the workflow holds a value that YAML cannot carry: {error}",
            remedy="Use texts, numbers, booleans, lists and dicts only.",
        ) from error
    workflow = validate_json(Workflow, data, str(path))
    return _checked(
        workflow, YamlDocument(source=str(path), text="", data=data, places={(): (0, 0)})
    )


def _checked(workflow: Workflow, document: YamlDocument) -> Workflow:
    problems = check(workflow)
    if problems:
        placed = [_with_place(problem, document) for problem in problems]
        placed.sort(key=lambda problem: (problem.line, problem.column))
        raise InvalidFileError(document.source, tuple(placed), text=document.text)
    return workflow


def _with_place(problem: Problem, document: YamlDocument) -> Problem:
    """Find the longest key path of the file that the problem's dotted path begins with.

    Names may hold dots, so the path is walked against the data, not split.
    """
    rest = problem.path
    path: KeyPath = ()
    data: Any = document.data
    while rest and (step := _step(rest, data)):
        key, rest = step
        path = (*path, key)
        data = data[key]
    line, column = document.place(path)
    return replace(problem, line=line, column=column)


def _step(rest: str, data: Json) -> tuple[str | int, str] | None:
    if isinstance(data, dict):
        for key in sorted(data, key=len, reverse=True):
            if rest == key or rest.startswith(f"{key}."):
                return key, rest[len(key) + 1 :]
    if isinstance(data, list):
        head, _, tail = rest.partition(".")
        if head.isdigit() and int(head) < len(data):
            return int(head), tail
    return None


def _spelled_out(document: YamlDocument) -> Json:
    """The data with the two shorthands written out: a command as one text, needs as a list."""
    data = document.data
    if not isinstance(data, dict):
        return data
    result: dict[str, Json] = dict(data)
    for section in ("tasks", "gangs"):
        parts = result.get(section)
        if isinstance(parts, dict):
            result[section] = {
                name: _spelled_part(part, (section, name), document) for name, part in parts.items()
            }
    return result


def _spelled_part(part: Json, path: tuple[str, ...], document: YamlDocument) -> Json:
    if not isinstance(part, dict):
        return part
    spelled: dict[str, Json] = dict(part)
    needs = spelled.get("needs")
    if isinstance(needs, list) and all(isinstance(name, str) for name in needs):
        spelled["needs"] = {str(name): "afterok" for name in needs}
    if isinstance(spelled.get("command"), str):
        spelled["command"] = _split(str(spelled["command"]), (*path, "command"), document)
    components = spelled.get("components")
    if isinstance(components, dict):
        spelled["components"] = {
            name: _spelled_part(component, (*path, "components", name), document)
            for name, component in components.items()
        }
    return spelled


def _split(command: str, path: tuple[str, ...], document: YamlDocument) -> Json:
    line, column = document.place(path)
    try:
        words = shlex.split(command)
    except ValueError as error:
        problem = Problem(
            path=".".join(path),
            message=f"the command cannot be split into words: {error}",
            remedy="Close the quotes, or write a list: [python, work.py].",
            line=line,
            column=column,
        )
        raise InvalidFileError(document.source, (problem,), text=document.text) from error
    shell = _shell_signs(command)
    if shell:
        problem = Problem(
            path=".".join(path),
            message=f"no shell reads the command, so {' '.join(shell)} would be plain letters",
            remedy="Write [bash, -c, '…'] if a shell should read it, or quote the word.",
            line=line,
            column=column,
        )
        raise InvalidFileError(document.source, (problem,), text=document.text)
    return list(words)


def _shell_signs(command: str) -> list[str]:
    """The signs outside quotes that only a shell would read."""
    bare = re.sub(r"\\.", "xx", command)  # an escaped sign is a letter
    words = shlex.shlex(bare, posix=False, punctuation_chars=True)
    return sorted({word[0] for word in words if word[0] in "|;&<>"})


def _without_defaults(value: object) -> Json:
    """As `to_json`, but a key that has its default is left out; the schema always stands first."""
    if isinstance(value, Mapping):
        return {str(key): _without_defaults(item) for key, item in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return to_json(value)
    return {
        field.name: _without_defaults(getattr(value, field.name))
        for field in fields(value)
        if field.name == "schema" or getattr(value, field.name) != _default(field)
    }


def _default(field: Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default
