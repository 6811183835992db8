"""Mutated generations for the reader: ``python -m tests.faults.session_mutants FOLDER FIRST COUNT``.

Started with `shim.c` preloaded. Some mutants are as a broken disk leaves them; in most the digests, and
the checksums of HDF5, are made right again, as somebody would who wants them to be read. Nothing may
come of it but a whole generation, a damage or a `SessionError`; no other file may be opened, memory is
limited, and a mutant that takes longer than 10 s ends the process (SIGALRM).
"""

from __future__ import annotations

import importlib
import json
import os
import random
import resource
import signal
import struct
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from cfslurm.adapters.session_digest import digest_of
from cfslurm.adapters.session_file import Store, write_generation
from cfslurm.adapters.session_load import read_generation
from cfslurm.core.session.about import Stamp
from cfslurm.core.session.content import Values, pack
from cfslurm.core.session.layout import Damage, GenerationId
from cfslurm.core.session.trailer import Trailer, read_trailer, write_trailer
from cfslurm.errors import SessionError
from tests.faults.shim import loaded

MOST_S = 10
MEMORY_BYTES = 4 * 1024**3
MASK = 0xFFFFFFFF


def seeds(folder: Path) -> list[bytes]:
    """Good generations: small, with parts, packed, referring to another one."""
    found = []
    store = Store(folder=folder)
    for number, state in enumerate(
        (
            {
                "step": 1,
                "array": np.arange(9),
                "names": np.array(["a", "é"]),
                "b": {"c": b"x" * 2000},
            },
            {"large": np.arange(10_000), "structure": np.zeros(3, [("a", "i4"), ("b", "f8")])},
            {"large": np.arange(10_000), "more": [np.ones(2), np.zeros((2, 3), "c8")]},
        ),
        1,
    ):
        held = Values(state=dict(state))
        for event in range(3):
            held.log.append(b'{"event":%d}' % event)
        stamp = Stamp(
            id=GenerationId(1, number), session="s", writer="w", parent="", saved_at="2026-11-21"
        )
        store.packs = number == 2
        path = folder / stamp.id.file_name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        _, _, learn = write_generation(descriptor, stamp, pack(held), store)
        os.close(descriptor)
        learn()
        assert not isinstance(read_generation(path), Damage)
        found.append(path.read_bytes())
    return found


def mutate(chance: random.Random, raw: bytes) -> bytes:
    """One mutant."""
    trailer = read_trailer(raw[-64:], file_bytes=len(raw))
    assert isinstance(trailer, Trailer)
    way = chance.randrange(6)
    if way == 0:
        return broken(chance, raw)
    payload = bytearray(raw[: trailer.payload_bytes])
    if way == 1:
        payload = redescribed(chance, payload, trailer)
    elif way == 2:
        headers(chance, payload)
    else:
        for _ in range(chance.choice((1, 1, 2, 4, 16))):
            poke(chance, payload, 0, min(len(payload), 8192))
    return sealed(payload, trailer)


def broken(chance: random.Random, raw: bytes) -> bytes:
    """As a disk may leave it."""
    data = bytearray(raw)
    for _ in range(chance.randrange(1, 4)):
        poke(chance, data, 0, len(data))
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)


def poke(chance: random.Random, data: bytearray, low: int, high: int) -> None:
    """Change a few bytes: a bit, a number, a copy of another place, nothing but zeros."""
    at = chance.randrange(low, high)
    match chance.randrange(5):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at] = chance.randrange(256)
        case 2:
            odd = (0, 1, 2**31, 2**32 - 1, 2**48, 2**63, 2**64 - 1, len(data), len(data) - 1)
            new = struct.pack("<Q", chance.choice(odd))[: chance.choice((1, 2, 4, 8))]
            data[at : at + len(new)] = new
        case 3:
            size = chance.randrange(1, 64)
            other = chance.randrange(low, high)
            data[at : at + size] = data[other : other + size]
        case _:
            size = chance.randrange(1, 32)
            data[at : at + size] = bytes(size)
    del data[max(high, 0) + 10**9 :]


def redescribed(chance: random.Random, payload: bytearray, trailer: Trailer) -> bytearray:
    """Another description: numbers, names and types of parts that are not what they were."""
    about = json.loads(payload[trailer.about_at :][: trailer.about_bytes])
    holders = [about, *about["parts"].values(), *about["small"].values()]
    for _ in range(chance.randrange(1, 4)):
        thing = chance.choice(holders)
        key = chance.choice(list(thing))
        thing[key] = chance.choice(
            (0, 1, -1, 2**63, 65536, "", "../../../etc/passwd", "g0001-000000000001.h5", "|O", "<f8",
             "<U99999999", '{"names":["x"],"formats":["|O"],"offsets":[0],"itemsize":8}', [], [2**40], [0], [1] * 33, None, True, {}, "sha256:" + "0" * 32, thing[key])
        )  # fmt: skip
    text = json.dumps(about).encode()[: trailer.about_bytes].ljust(trailer.about_bytes)
    payload[trailer.about_at : trailer.about_at + len(text)] = text
    return payload


def headers(chance: random.Random, payload: bytearray) -> None:
    """Change an object's header and make its checksum right again."""
    starts = [i for i in range(len(payload) - 16) if payload[i : i + 4] == b"OHDR"]
    start = chance.choice(starts)
    flags = payload[start + 5]
    at = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    end = at + width + int.from_bytes(payload[at : at + width], "little")
    if end + 4 > len(payload):
        return
    for _ in range(chance.choice((1, 1, 2, 3))):
        poke(chance, payload, at + width, max(at + width + 1, end))
    payload[end : end + 4] = lookup3(bytes(payload[start:end])).to_bytes(4, "little")


def rotated(value: int, by: int) -> int:
    """Bits of 32 turned to the left."""
    return (value << by | value >> (32 - by)) & MASK


def lookup3(data: bytes) -> int:
    """The checksum of HDF5's metadata.

    Source: Bob Jenkins, lookup3.c, hashlittle; used by the HDF5 file format, version 2 and later.
    """
    a = b = c = (0xDEADBEEF + len(data)) & MASK
    while len(data) > 12:
        x, y, z = struct.unpack_from("<3I", data)
        a, b, c = (a + x) & MASK, (b + y) & MASK, (c + z) & MASK
        a = (a - c) & MASK ^ rotated(c, 4)
        c = (c + b) & MASK
        b = (b - a) & MASK ^ rotated(a, 6)
        a = (a + c) & MASK
        c = (c - b) & MASK ^ rotated(b, 8)
        b = (b + a) & MASK
        a = (a - c) & MASK ^ rotated(c, 16)
        c = (c + b) & MASK
        b = (b - a) & MASK ^ rotated(a, 19)
        a = (a + c) & MASK
        c = (c - b) & MASK ^ rotated(b, 4)
        b = (b + a) & MASK
        data = data[12:]
    if not data:
        return c
    x, y, z = struct.unpack("<3I", data.ljust(12, b"\0"))
    a, b, c = (a + x) & MASK, (b + y) & MASK, (c + z) & MASK
    c = ((c ^ b) - rotated(b, 14)) & MASK
    a = ((a ^ c) - rotated(c, 11)) & MASK
    b = ((b ^ a) - rotated(a, 25)) & MASK
    c = ((c ^ b) - rotated(b, 16)) & MASK
    a = ((a ^ c) - rotated(c, 4)) & MASK
    b = ((b ^ a) - rotated(a, 14)) & MASK
    return ((c ^ b) - rotated(b, 24)) & MASK


def sealed(payload: bytearray, trailer: Trailer) -> bytes:
    """With a digest and a trailer that are right."""
    rest, end = b"", 0
    try:
        about = json.loads(payload[trailer.about_at :][: trailer.about_bytes])
        parts = [part for part in about["parts"].values() if part["file"] == trailer.id.file_name]
        for part in sorted(parts, key=lambda part: part["at"]):
            rest += payload[end : part["at"]]
            end = part["at"] + part["stored"]
        rest += payload[end:]
    except (ValueError, TypeError, KeyError, AttributeError):
        rest = bytes(payload)
    digest = digest_of(rest, trailer.kind)
    changed = replace(trailer, payload_bytes=len(payload), digest=digest)
    return bytes(payload) + write_trailer(changed)


def main() -> None:
    """Read mutants FIRST to FIRST + COUNT - 1; a line of counts at the end."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(exist_ok=True)
    good = seeds(folder)
    for raw in good:
        check_checksum(raw)
    importlib.import_module("encodings.ascii")  # which Python opens when it needs it first
    library = loaded()
    target = folder / "g0001-000000000003.h5"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    counts: Counter[str] = Counter()
    with (folder / "progress").open("w") as progress:
        for number in range(first, first + count):
            chance = random.Random(number)
            mutant = mutate(chance, good[number % len(good)])
            target.write_bytes(mutant)
            progress.seek(0)
            progress.write(f"{number}\n")
            progress.flush()
            signal.alarm(MOST_S)
            library.fault_watch(str(folder).encode())
            try:
                found = read_generation(target)
                counts["damage" if isinstance(found, Damage) else "whole"] += 1
            except SessionError:
                counts["refused"] += 1
            signal.alarm(0)
            assert library.fault_strays() == 0, (number, library.fault_stray())
            library.fault_watch(b"")
    print(json.dumps(dict(counts)))  # noqa: T201


def check_checksum(raw: bytes) -> None:
    """The checksum above is HDF5's: it stands in a good file."""
    start = raw.index(b"OHDR")
    flags = raw[start + 5]
    at = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    end = at + width + int.from_bytes(raw[at : at + width], "little")
    assert lookup3(raw[start:end]) == int.from_bytes(raw[end : end + 4], "little")


if __name__ == "__main__":
    assert h5py.version.hdf5_version_tuple >= (1, 10)
    main()
