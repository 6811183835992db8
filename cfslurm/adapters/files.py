"""Whole files or nothing: temporary file in the same folder, fsync, rename, fsync of the folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cfslurm.core.documents import Json, to_json

# A harvest of 10,000 nodes has 6 MB, and up to 20 times that if every node was probed.
LARGEST_JSON_BYTES = 1024**3


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old one or the new one, also after a crash.

    The mode is set explicitly: the umask has no say. A device or a pipe (``-o /dev/stdout``) is
    written into, and stays what it is.
    """
    if path.is_char_device() or path.is_fifo():
        path.write_bytes(data)
        return
    temporary = path.parent / f".{path.name}.{os.urandom(6).hex()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def json_text(document: object) -> str:
    """A document as JSON text for people and programs: two blanks of indent, a line break at the end."""
    return json.dumps(to_json(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def lines_text(document: object) -> str:
    """A document as JSON text with one line for each item of its lists: short, and good to compare.

    Shape: the document is an object; its lists, and its other values, stand on lines of their own.
    """
    data = to_json(document)
    assert isinstance(data, dict)
    entries = []
    for key, value in data.items():
        items = [_compact(item) for item in value] if isinstance(value, list) else []
        text = "[\n  " + ",\n  ".join(items) + "\n ]" if items else _compact(value)
        entries.append(f" {_compact(key)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _compact(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> Json:
    """The data of a JSON file.

    Raises:
        ValueError: it is no JSON, or larger than any document of cfslurm.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST_JSON_BYTES + 1)
    if len(text) > LARGEST_JSON_BYTES:
        raise ValueError(f"it has more than {LARGEST_JSON_BYTES} bytes")
    try:
        data: Json = json.loads(text.decode())
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return data
