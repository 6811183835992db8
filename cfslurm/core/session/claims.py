"""Who may write in a session: a claim is a numbered epoch, and the highest number wins.

There is no lock, because locks lie on some filesystems and outlive their holders on others. A claim
decides politely; what protects the data is the fence: a writer that sees a higher epoch stops, and
its generations sort before those of the higher epoch whatever it does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum, auto
from typing import ClassVar

from cfslurm.core.documents import Json
from cfslurm.core.session.layout import CLAIM_SCHEMA
from cfslurm.errors import SessionError


class SessionSupersededError(SessionError):
    """A later attempt has the session now; this process must end, and not be requeued."""

    exit_code: ClassVar[int] = 3


class SessionHeldError(SessionError):
    """Somebody else has the session and is, as far as can be seen, alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process that wants to write, so that others can find out whether it still lives.

    ``job_id`` is empty outside Slurm. ``started`` is the process' start in clock ticks since boot:
    with ``boot_id`` and ``pid`` it names one process for ever. Process numbers mean something only
    in the same ``pid_namespace``: containers may have their own.
    """

    cluster: str
    job_id: str
    restart_count: int
    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    started: int

    @property
    def text(self) -> str:
        """The process, for people."""
        job = f"job {self.job_id} (restart {self.restart_count}), " if self.job_id else ""
        return f"{job}process {self.pid} on {self.host}"

    def is_same_job(self, other: Identity) -> bool:
        """True for two attempts, or two processes of one attempt, of one Slurm job."""
        mine, others = (self.cluster, self.job_id), (other.cluster, other.job_id)
        return bool(self.job_id) and mine == others


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An epoch and its holder; ``at`` is UTC."""

    epoch: int
    session: str
    holder: Identity
    at: str


def claim_document(claim: Claim) -> dict[str, Json]:
    """A claim as JSON."""
    return {
        "schema": CLAIM_SCHEMA,
        "epoch": claim.epoch,
        "session": claim.session,
        "holder": asdict(claim.holder),
        "at": claim.at,
    }


def read_claim(document: Json) -> Claim | None:
    """Undo `claim_document`; None if it is something else."""
    match document:
        case {
            "schema": str(schema),
            "epoch": int(epoch),
            "session": str(session),
            "at": str(at),
            "holder": {
                "cluster": str(cluster),
                "job_id": str(job_id),
                "restart_count": int(restart_count),
                "host": str(host),
                "boot_id": str(boot_id),
                "pid_namespace": str(pid_namespace),
                "pid": int(pid),
                "started": int(started),
            },
        } if schema == CLAIM_SCHEMA:
            holder = Identity(
                cluster=cluster, job_id=job_id, restart_count=restart_count, host=host,
                boot_id=boot_id, pid_namespace=pid_namespace, pid=pid, started=started,
            )  # fmt: skip
            return Claim(epoch=epoch, session=session, holder=holder, at=at)
    return None


class Life(Enum):
    """What can be seen of a holder."""

    ALIVE = auto()
    GONE = auto()
    UNKNOWN = auto()  # on another machine


def check_may_take(holder: Claim, life: Life, me: Identity) -> None:
    """Decide whether ``me`` may take a session over from a holder that has not closed it.

    A holder that is gone has lost it. An attempt that Slurm started later takes it from an earlier
    attempt of the same job, even from one that still lives: that one is a leftover. In another job,
    what is seen alive on this machine keeps it; what cannot be seen loses it to a job, because
    submitting a job is a deliberate act, but not to a process outside Slurm.

    Raises:
        SessionHeldError: it may not.
        SessionSupersededError: it may not, because it is itself the leftover.
    """
    if life is Life.GONE:
        return
    other = holder.holder
    if me.is_same_job(other) and me.restart_count != other.restart_count:
        if me.restart_count > other.restart_count:
            return
        raise superseded(holder.session, other.text)
    if life is Life.UNKNOWN and me.job_id and not me.is_same_job(other):
        return
    seen = "lives" if life is Life.ALIVE else "has not closed it and cannot be seen from here"
    raise SessionHeldError(
        f"session {holder.session} is held by {other.text}, which {seen}",
        remedy="Look at it with Session.read; if nobody writes it, Session.open(…, take_over=True).",
    )


def superseded(session: str, by: str) -> SessionSupersededError:
    """The error of a writer that must stop."""
    return SessionSupersededError(
        f"session {session} has been taken over by {by}",
        remedy="Let this process end; the session goes on there.",
    )
