"""The node manifest: the part of the manifest that the SPANK plugin reads, as text for C.

docs/reference/node-manifest.md defines it; spank/manifest.c reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cfslurm.core.run.manifest import VariantPlace

VERSION = ("cfslurm-node-manifest", "1")
MAX_BYTES = 8 * 1024 * 1024
MAX_LINE_BYTES = 16_384
MAX_LINES = 200_000

_SAFE = "/:@+=,"
_PLAIN = re.compile(r"[A-Za-z0-9_.\-~/:@+=,]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLine:
    """What the nodes of a class have; ``gpu_memory_mib`` is 0 where it is not known."""

    name: str
    gpu_type: str
    gpu_count: int
    gpu_memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """The variant that ``key`` uses on the nodes of a class.

    ``model`` is the repository that the workflow asked for. ``files`` and ``total_bytes`` are 0
    where they are not known.

    Shape: ``key`` is an array's job key, or ``gang/component``.
    """

    key: str
    node_class: str
    model: str
    place: VariantPlace
    files: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeManifest:
    """Everything that the file says. ``nodes`` maps a node to its class; ``run_id`` may be empty."""

    run_id: str = ""
    run_dir: str = ""
    nodes: Mapping[str, str]
    classes: tuple[ClassLine, ...]
    models: tuple[ModelLine, ...]


def node_manifest_text(content: NodeManifest) -> str | None:
    r"""The text of a node manifest; None if it cannot be written.

    That is so for a value that its grammar has no place for, a path with a control character for
    example, and for content beyond its limits. A run works without this file.

    >>> node_manifest_text(NodeManifest(nodes={}, classes=(), models=()))
    'cfslurm-node-manifest\t1\nend\t0\n'
    """
    try:
        lines = list(_lines(content))
    except _UnwritableError:
        return None
    lines = ["\t".join(VERSION), *lines, f"end\t{len(lines)}"]
    too_long = any(len(line) + 1 > MAX_LINE_BYTES for line in lines)
    text = "".join(f"{line}\n" for line in lines)
    return None if too_long or len(lines) > MAX_LINES or len(text) > MAX_BYTES else text


class _UnwritableError(Exception):
    """A value that the grammar has no place for."""


def _lines(content: NodeManifest) -> Iterable[str]:
    """All lines between the first and the last."""
    if content.run_id:
        yield _line("run", _plain(content.run_id), _path(content.run_dir))
    for node, node_class in sorted(content.nodes.items(), key=lambda item: _bytes(item[0])):
        yield _line("node", _plain(node), _plain(node_class))
    _refuse_twins(one.name for one in content.classes)
    for one in sorted(content.classes, key=lambda one: _bytes(one.name)):
        yield _line(
            "class",
            _plain(one.name),
            _text(one.gpu_type, most=255),
            _number(one.gpu_count, most=1024),
            _number(one.gpu_memory_mib, most=2**31 - 1),
        )
    _refuse_twins((model.key, model.node_class) for model in content.models)
    for model in sorted(content.models, key=lambda m: (_bytes(m.key), _bytes(m.node_class))):
        yield _model_line(model)


def _refuse_twins(keys: Iterable[object]) -> None:
    found = list(keys)
    if len(set(found)) < len(found):
        raise _UnwritableError


def _model_line(model: ModelLine) -> str:
    place = model.place
    if not _COMMIT.fullmatch(place.revision):
        raise _UnwritableError
    return _line(
        "model",
        _plain(model.key),
        _plain(model.node_class),
        _text(model.model, most=200),
        _text(place.variant, least=1, most=300),
        _text(place.repo_id, least=1, most=200),
        place.revision,
        _plain(place.quantization, most=63),
        _path(place.path),
        _number(place.tensor_parallel_size, most=1024),
        _number(place.max_model_len, most=2**31 - 1),
        _number(model.files, most=4096),
        _number(model.total_bytes, most=2**53 - 1),
    )


def _line(*fields: str) -> str:
    return "\t".join(fields)


def _plain(text: str, *, most: int = 255) -> str:
    """A value that needs no encoding."""
    if not _PLAIN.fullmatch(text):
        raise _UnwritableError
    return _text(text, least=1, most=most)


def _path(path: str) -> str:
    root, *parts = path.split("/")
    if root or not parts or not {"", ".", ".."}.isdisjoint(parts):
        raise _UnwritableError
    return _text(path, least=1, most=4095)


def _text(text: str, *, least: int = 0, most: int) -> str:
    data = _bytes(text)
    if _CONTROL.search(text) or not least <= len(data) <= most:
        raise _UnwritableError
    return quote(data, safe=_SAFE)


def _bytes(text: str) -> bytes:
    """The bytes of a text; those of a path that are no UTF-8 are as the system has them."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _UnwritableError from error


def _number(number: int, *, most: int) -> str:
    if not 0 <= number <= most:
        raise _UnwritableError
    return str(number)
