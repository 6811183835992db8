"""A session under faults, a child for each: ``python -m tests.faults.session_calls FOLDER STRIDE OFFSET``.

Started with `shim.c` preloaded. Every call that changes a file is met by every fault, one at a time;
what was acknowledged must be there, nothing may be torn, and the session must go on.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import sys
import traceback
from pathlib import Path

import numpy as np

from cfslurm import Session
from cfslurm.adapters.session_survey import verify
from cfslurm.errors import SessionError
from tests.faults.shim import ACTIONS, loaded
from tests.forked import start_child

SAVES = (
    "commit", "commit", "once", "commit", "checkpoint", "commit", "checkpoint", "checkpoint",
    "commit", "once", "commit", "checkpoint",
)  # fmt: skip
FAULTS = [(name, 0) for name in ACTIONS if name != "fail"] + [
    ("fail", number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE)
]
ACK = struct.Struct("<q")
LIBRARY = loaded()


def work(folder: Path, pipe: int) -> int:
    """Save in every way; what fails once is tried again and must then be good."""
    session = again(lambda: Session.open("coder", directory=folder, signals=False))
    k = session.get("k", 0)
    for how in SAVES:
        k += 1
        session["k"] = k
        session["array"] = np.full(10, k)
        if k % 3 == 0:
            session["large"] = np.full(12_000, k)
        session.append(k)
        if how == "once":
            again(lambda n=k: session.once(f"step {n}", lambda: n))  # type: ignore[misc]
            again(session.checkpoint)
        else:
            again(getattr(session, how))
        os.write(pipe, ACK.pack(k))
    again(session.close)
    return 0


def again(deed):  # type: ignore[no-untyped-def]
    """Do something; a second time if the first one failed."""
    try:
        return deed()
    except (SessionError, OSError):
        return deed()


def trial(folder: Path, number: int, action: int, error: int) -> tuple[int, int]:
    """One fault at one call; the last acknowledged save, and how many calls there were."""
    read_end, write_end = os.pipe()

    def child() -> int:
        LIBRARY.fault_arm(number, action, error)
        try:
            code = work(folder, write_end)
        except BaseException:
            traceback.print_exc()  # for who reads why a trial failed
            raise
        os.write(write_end, ACK.pack(-LIBRARY.fault_count()))
        return code

    process = start_child(child)
    os.close(write_end)
    acks = b""
    while piece := os.read(read_end, 65536):
        acks += piece
    os.close(read_end)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, -9), f"ended with {code} at call {number}, action {action}, error {error}"
    told = [value for (value,) in ACK.iter_unpack(acks[: len(acks) // 8 * 8])]
    return max([0, *told]), -min([0, *told])


def check(folder: Path, acknowledged: int) -> None:
    """What a reader sees, and that the next writer goes on."""
    place = folder / "coder"
    try:
        found = Session.read(place)
    except SessionError:
        assert acknowledged == 0, "nothing can be read"
        return
    whole(dict(found.state), list(found.events), acknowledged)
    assert found.warnings == ()
    with Session.open("coder", directory=folder, signals=False) as session:
        whole(dict(session), list(session.events), acknowledged)
    assert not list(place.glob(".tmp*"))
    assert not any(facts.damage or facts.journal_damage for facts in verify(place, None))


def whole(state: dict[str, object], events: list[object], acknowledged: int) -> None:
    """A state is of one save, the last acknowledged one or the one that was tried then."""
    k = state.get("k", 0)
    assert isinstance(k, int)
    assert acknowledged <= k <= acknowledged + 1, (acknowledged, k)
    assert events == list(range(1, k + 1))
    if k:
        assert (state["array"] == np.full(10, k)).all()  # type: ignore[attr-defined]
    if k >= 3:
        assert (state["large"] == np.full(12_000, k - k % 3)).all()  # type: ignore[attr-defined]


def main() -> None:
    """Run every STRIDE-th of all pairs of a call and a fault, from OFFSET on."""
    base, stride, offset = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    _, calls = trial(base / "count", 10**9, 0, 0)
    assert calls > 100, calls
    pairs = [(n, name, error) for n in range(1, calls + 1) for name, error in FAULTS]
    for number, name, error in pairs[offset::stride]:
        folder = base / "trial"
        acknowledged, _ = trial(folder, number, ACTIONS[name], error)
        try:
            check(folder, acknowledged)
        except BaseException as problem:
            raise AssertionError(f"call {number}, {name}, {error}") from problem
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"calls": calls, "trials": len(pairs[offset::stride])}))  # noqa: T201


if __name__ == "__main__":
    main()
