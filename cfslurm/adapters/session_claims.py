"""Claims on a session: who am I, does the holder live, and who is first."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path

from cfslurm.adapters.environment import Environment
from cfslurm.adapters.files import json_text, sync_folder
from cfslurm.adapters.session_io import (
    Access,
    access_of,
    create,
    link_new,
    list_folder,
    temporary_file,
    write_all,
)
from cfslurm.core.session import layout
from cfslurm.core.session.claims import (
    Claim,
    Identity,
    Life,
    SessionHeldError,
    check_may_take,
    claim_document,
    read_claim,
)
from cfslurm.errors import SessionError

_NOBODY = Identity(
    cluster="", job_id="", restart_count=0, host="an unknown host", boot_id="", pid_namespace="",
    pid=0, started=0,
)  # fmt: skip
_TRIES = 1000


def this_process(environment: Environment) -> Identity:
    """Who is asking: Slurm's numbers, the machine, and the process for ever.

    Raises:
        SessionError: Slurm's restart count is no number.
    """
    restarts = environment.get("SLURM_RESTART_COUNT") or "0"
    if not (restarts.isascii() and restarts.isdigit()):
        raise SessionError(
            f"SLURM_RESTART_COUNT is {restarts!r}, which is no number",
            remedy="Slurm sets it; do not change it in the job.",
        )
    return Identity(
        cluster=environment.get("SLURM_CLUSTER_NAME") or "",
        job_id=environment.get("SLURM_JOB_ID") or "",
        restart_count=int(restarts),
        host=environment.host,
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"),
        pid_namespace=_link("/proc/self/ns/pid"),
        pid=os.getpid(),
        started=_started(os.getpid()) or 0,
    )


def life_of(holder: Identity, me: Identity) -> Life:
    """Whether a holder lives, as far as this machine can see."""
    if not holder.boot_id or not me.boot_id:
        return Life.UNKNOWN
    if holder.boot_id != me.boot_id:
        return Life.GONE if holder.host == me.host else Life.UNKNOWN  # booted since
    if holder.pid_namespace != me.pid_namespace:
        return Life.UNKNOWN
    return Life.ALIVE if _started(holder.pid) == holder.started else Life.GONE


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _started(pid: int) -> int | None:
    """A process' start in clock ticks since boot; None if there is none, or only its remains."""
    status = _first_line(f"/proc/{pid}/stat")
    fields = status.rpartition(")")[2].split()  # the name before may hold blanks and parentheses
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return int(fields[19])


def take_claim(folder: Path, me: Identity, *, session: str, at: str, take_over: bool) -> Claim:
    """Claim the next epoch, if the last holder allows it; see `check_may_take`.

    Raises:
        SessionHeldError: somebody else has the session.
        SessionSupersededError: a later attempt of this job has it.
        OSError: the folder cannot be used.
    """
    access = access_of(folder)
    for _ in range(_TRIES):
        listing = list_folder(folder)
        newest = listing.newest_epoch
        if newest in listing.epochs and newest not in listing.closed and not take_over:
            holder = holder_of(folder, newest)
            check_may_take(holder, life_of(holder.holder, me), me)
        claim = Claim(epoch=newest + 1, session=session, holder=me, at=at)
        try:
            if _write_claim(folder, claim, access):
                return claim
        except OSError:
            if holder_of(folder, claim.epoch) == claim:  # ours, but perhaps not for ever
                with contextlib.suppress(OSError):
                    close_claim(folder, claim.epoch)
            raise
    raise SessionHeldError(
        f"{_TRIES} others have claimed session {session} at the same time",
        remedy="Start one writer for each session.",
    )


def holder_of(folder: Path, epoch: int) -> Claim:
    """The claim of an epoch; an unknown process if it cannot be read."""
    try:
        path = folder / layout.claim_name(epoch)
        found = read_claim(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        found = None
    return found or Claim(epoch=epoch, session=folder.name, holder=_NOBODY, at="")


def _write_claim(folder: Path, claim: Claim, access: Access) -> bool:
    """Publish a claim; False if somebody else has this epoch."""
    temporary = folder / layout.temporary_name(claim.epoch, secrets.token_hex(8))
    text = json_text(claim_document(claim)).encode()
    try:
        with temporary_file(temporary, access) as descriptor:
            write_all(descriptor, text, at=0)
            os.fsync(descriptor)
            if not link_new(temporary, folder / layout.claim_name(claim.epoch)):
                return False
    except FileNotFoundError:
        if folder.is_dir():
            return False  # a later claimant has swept our temporary file away
        raise
    sync_folder(folder)
    return True


def close_claim(folder: Path, epoch: int) -> None:
    """Say that the holder of an epoch writes no more."""
    try:
        os.close(create(folder / layout.closed_name(epoch), access_of(folder)))
    except FileExistsError:
        return
    sync_folder(folder)
