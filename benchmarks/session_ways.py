"""Ways to bring a state to the disk and back: the limit, ours, and what people use."""

from __future__ import annotations

import json
import os
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cfslurm import Session

RAW = "write, fsync"
RENAMED = "file, fsync, rename, fsync folder"
APPENDED = "file, append, fdatasync (the limit)"
_PIECE = 8 * 1024**2
_ALL = 10**12
Array = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingLog:
    """A log of messages; when ``append`` returns, the message survives a crash."""

    name: str
    append: Callable[[Mapping[str, object]], object]
    close: Callable[[], object]

    def written(self) -> int:
        """Bytes that this process has handed to the system so far, of all ways together."""
        return _Counter.bytes_of(self.name)


class _Counter:
    """Bytes written by each way: /proc counts for the process, so calls are bracketed."""

    _bytes: ClassVar[dict[str, int]] = {}

    @classmethod
    def around(cls, name: str, work: Callable[[Any], object]) -> Callable[[Any], None]:
        """The same work, with its bytes counted."""

        def counted(value: Any) -> None:
            before = _written()
            work(value)
            cls._bytes[name] = cls._bytes.get(name, 0) + _written() - before

        return counted

    @classmethod
    def bytes_of(cls, name: str) -> int:
        """So far."""
        return cls._bytes.get(name, 0)


def _written() -> int:
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way; ``load`` gives back what was saved last. ``log`` makes a growing log, where there is one."""

    name: str
    folder: Path
    save: Callable[[Array], object]
    load: Callable[[], Array]
    close: Callable[[], object] = lambda: None
    log: Callable[[], GrowingLog] | None = None
    most_bytes: int = _ALL


def ways(folder: Path) -> list[Way]:
    """All of them, each with a folder of its own."""
    makers = (_raw, _renamed, _session, _npz, _torch_like, _sqlite)
    made = []
    for number, maker in enumerate(makers):
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        made.append(maker(place))
    return made


def _write(path: Path, data: Array) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    view = data.data
    for at in range(0, len(view), _PIECE):
        piece = view[at : at + _PIECE]
        while piece:
            piece = piece[os.write(descriptor, piece) :]
    os.fsync(descriptor)
    os.close(descriptor)


def _read(path: Path) -> Array:
    found: Array = np.empty(path.stat().st_size, np.uint8)
    view = found.data
    descriptor = os.open(path, os.O_RDONLY)
    at = 0
    while at < len(view):
        at += os.preadv(descriptor, [view[at : at + _PIECE]], at)
    os.close(descriptor)
    return found


def _raw(folder: Path) -> Way:
    """A new file each time; the one before goes, as pruning does."""
    state = {"number": 0}

    def save(data: Array) -> None:
        state["number"] += 1
        _write(folder / str(state["number"]), data)
        (folder / str(state["number"] - 1)).unlink(missing_ok=True)

    def append_log() -> GrowingLog:
        descriptor = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        def append(message: Mapping[str, object]) -> None:
            os.write(descriptor, json.dumps(message).encode() + b"\n")
            os.fdatasync(descriptor)

        return GrowingLog(
            name=APPENDED,
            append=_Counter.around(APPENDED, append),
            close=lambda: os.close(descriptor),
        )

    return Way(
        name=RAW,
        folder=folder,
        save=save,
        load=lambda: _read(folder / str(state["number"])),
        log=append_log,
    )


def _renamed(folder: Path) -> Way:
    def save(data: Array) -> None:
        _write(folder / "temporary", data)
        (folder / "temporary").rename(folder / "state")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    return Way(
        name=RENAMED,
        folder=folder,
        save=save,
        load=lambda: _read(folder / "state"),
    )


def _session(folder: Path) -> Way:
    opened: list[Session] = []

    def session() -> Session:
        if not opened:
            opened.append(Session.open("s", directory=folder, signals=False))
        return opened[0]

    def save(data: Array) -> None:
        session()["state"] = data
        session().checkpoint()

    def load() -> Array:
        found: Array = Session.read(folder / "s").state["state"]
        return found

    def log() -> GrowingLog:
        one = Session.open("log", directory=folder, signals=False)

        def append(message: Mapping[str, object]) -> None:
            one.append(message)
            one.commit()

        name = "session commit"
        return GrowingLog(name=name, append=_Counter.around(name, append), close=one.close)

    return Way(
        name="session checkpoint",
        folder=folder,
        save=save,
        load=load,
        close=lambda: [one.close() for one in opened],
        log=log,
    )


def _npz(folder: Path) -> Way:
    def save(data: Array) -> None:
        np.savez(folder / "state.npz", state=data)

    def load() -> Array:
        with np.load(folder / "state.npz") as file:
            found: Array = file["state"]
            return found

    return Way(name="np.savez, no fsync", folder=folder, save=save, load=load)


def _torch_like(folder: Path) -> Way:
    """A zip of raw tensors, stored: what torch.save writes, without torch."""

    def save(data: Array) -> None:
        with zipfile.ZipFile(folder / "state.pt", "w", zipfile.ZIP_STORED) as file:
            file.writestr("archive/data.json", json.dumps({"dtype": "uint8", "shape": data.shape}))
            with file.open("archive/data/0", "w", force_zip64=True) as part:
                part.write(data.data)

    def load() -> Array:
        with zipfile.ZipFile(folder / "state.pt") as file:
            found: Array = np.frombuffer(file.read("archive/data/0"), np.uint8)
            return found

    return Way(name="zip of tensors, as torch.save, no fsync", folder=folder, save=save, load=load)


def _sqlite(folder: Path) -> Way:
    base = sqlite3.connect(folder / "state.db")
    base.execute("pragma journal_mode=wal")
    base.execute("pragma synchronous=full")
    base.execute("create table if not exists state (id integer primary key, data blob)")
    base.execute("create table if not exists log (id integer primary key, message text)")

    def save(data: Array) -> None:
        with base:
            base.execute("insert or replace into state values (1, ?)", (data.data,))

    def load() -> Array:
        ((raw,),) = base.execute("select data from state").fetchall()
        return np.frombuffer(raw, np.uint8)

    def log() -> GrowingLog:
        def append(message: Mapping[str, object]) -> None:
            with base:
                base.execute("insert into log (message) values (?)", (json.dumps(message),))

        name = "SQLite insert, full sync"
        return GrowingLog(name=name, append=_Counter.around(name, append), close=base.close)

    return Way(
        name="SQLite, a blob, full sync",
        folder=folder,
        save=save,
        load=load,
        close=base.close,
        log=log,
        most_bytes=9 * 10**8,
    )
