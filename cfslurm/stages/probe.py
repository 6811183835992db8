"""Let nodes tell what they have: one short job for each, a few at a time, and every answer or why not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cfslurm.core.hardware.probe import NodeProbe, NotKnown
from cfslurm.core.hardware.probe_targets import ProbeTarget
from cfslurm.core.render.probe import ProbeJob, ProbeJobs
from cfslurm.core.report.reasons import reason_words
from cfslurm.core.slurm import scancel, squeue
from cfslurm.core.slurm.answers import checked
from cfslurm.core.slurm.squeue import QueuedJob
from cfslurm.core.slurm.units import human_seconds
from cfslurm.errors import SlurmError, SlurmRejectedError, SlurmUnavailableError
from cfslurm.ports import RunStore
from cfslurm.stages.submit import Slurm, submit

_FIRST_POLL_S = 0.5
_LONGEST_POLL_S = 10.0
# A job that has ended has written its answer; a shared filesystem may show it later than Slurm the end.
_SETTLE_S = 10.0
_NO_REASON = ("", "None")  # the scheduler has not looked at the job yet
_WAITING = frozenset({"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT"})

Say = Callable[[str], None]


class ProbeStore(Protocol):
    """Where probes are prepared and their answers arrive."""

    def prepare(self, targets: Sequence[ProbeTarget]) -> tuple[ProbeJobs, RunStore]:
        """Write the jobs for some nodes, with a ledger of their own."""
        ...

    def answer(self, job: ProbeJob) -> NodeProbe | NotKnown | None:
        """What the node has left; None while it has left nothing."""
        ...

    def last_words(self, jobs: ProbeJobs, job: ProbeJob) -> str:
        """The end of what the job printed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for answers, and how many nodes may be asked at the same time."""

    timeout_s: float
    at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a node that was asked: its answer, or why there is none."""

    target: ProbeTarget
    probe: NodeProbe | NotKnown


@dataclass(slots=True)
class _Flight:
    """A node that is being asked."""

    target: ProbeTarget
    job: ProbeJob
    jobs: ProbeJobs
    state: str = "PENDING"
    reason: str = ""
    job_ids: tuple[str, ...] = ()
    ended_at: float | None = None


class Probing:
    """Asks nodes until all have answered or the time is up."""

    def __init__(self, *, store: ProbeStore, slurm: Slurm, patience: Patience, say: Say) -> None:
        self._store = store
        self._slurm = slurm
        self._patience = patience
        self._say = say
        self._flights: dict[str, _Flight] = {}
        self._told: list[Told] = []
        self._last_line = ""

    def ask(self, targets: Sequence[ProbeTarget]) -> tuple[Told, ...]:
        """What became of every target, in the order of their names.

        Jobs that still wait or run when this ends, however it ends, are cancelled.

        Raises:
            SlurmUnavailableError: Slurm went silent while jobs were submitted.
        """
        clock, waiting = self._slurm.clock, deque(targets)
        until = clock.monotonic() + self._patience.timeout_s
        poll_s = _FIRST_POLL_S
        try:
            while (waiting or self._flights) and clock.monotonic() < until:
                self._begin(waiting)
                before = len(self._told)
                self._look()
                self._report(len(targets), len(waiting))
                poll_s = (
                    _FIRST_POLL_S
                    if len(self._told) > before
                    else min(1.5 * poll_s, _LONGEST_POLL_S)
                )
                if self._flights:
                    clock.sleep(max(0.0, min(poll_s, until - clock.monotonic())))
            self._look()
        finally:
            self._cancel(self._flights)
        self._give_up(waiting)
        return tuple(sorted(self._told, key=lambda one: one.target.node))

    def _begin(self, waiting: deque[ProbeTarget]) -> None:
        """Submit as many as may be asked at once; if Slurm refuses one of them, each on its own."""
        room = self._patience.at_once - len(self._flights)
        some = [waiting.popleft() for _ in range(min(room, len(waiting)))]
        if not some:
            return
        try:
            self._submit(some)
        except SlurmRejectedError as error:
            if len(some) == 1:
                self._refused(some[0], error)
                return
            for target in some:
                try:
                    self._submit([target])
                except SlurmRejectedError as refusal:
                    self._refused(target, refusal)

    def _submit(self, targets: Sequence[ProbeTarget]) -> None:
        jobs, ledger = self._store.prepare(targets)
        # Known before they exist: whatever happens in between, they are looked for and cancelled.
        flights = {
            target.node: _Flight(target=target, job=job, jobs=jobs)
            for target, job in zip(targets, jobs.jobs, strict=True)
        }
        self._flights |= flights
        try:
            submit(jobs, store=ledger, slurm=self._slurm)
        except SlurmRejectedError:
            # sbatch's no has cancelled them all; after a no to the release some of them may run.
            self._cancel(flights)
            for node in flights:
                del self._flights[node]
            raise

    def _refused(self, target: ProbeTarget, error: SlurmRejectedError) -> None:
        remedy = "Name another partition or account: --partition, --account."
        self._told.append(
            Told(target=target, probe=NotKnown(not_known=error.message, remedy=remedy))
        )

    def _look(self) -> None:
        """Take what has arrived, and ask Slurm once about all others."""
        for node, flight in list(self._flights.items()):
            self._take(node, flight)
        if not self._flights:
            return
        try:
            rows = self._rows(self._flights)
        except SlurmUnavailableError:
            return  # the answers come through the filesystem; Slurm is asked again later
        for node, flight in list(self._flights.items()):
            self._judge(node, flight, rows.get(flight.job.name, ()))

    def _take(self, node: str, flight: _Flight) -> None:
        answer = self._store.answer(flight.job)
        if answer is not None:
            del self._flights[node]
            self._told.append(Told(target=flight.target, probe=answer))

    def _rows(self, flights: Mapping[str, _Flight]) -> Mapping[str, Sequence[QueuedJob]]:
        names = [flight.job.name for flight in flights.values()]
        command = squeue.named_jobs_command(names, user=self._slurm.user)
        rows: dict[str, list[QueuedJob]] = {}
        for row in squeue.read_jobs(self._slurm.run(command)):
            rows.setdefault(row.name, []).append(row)
        return rows

    def _judge(self, node: str, flight: _Flight, rows: Sequence[QueuedJob]) -> None:
        now = self._slurm.clock.monotonic()
        flight.job_ids = tuple(row.parent_id for row in rows)
        last = max(rows, key=lambda row: row.record_id, default=None)
        flight.state = last.state if last else "gone"
        flight.reason = last.reason if last else "Slurm has no such job any more"
        if last and last.state in _WAITING:
            flight.ended_at = None
            return
        flight.ended_at = flight.ended_at if flight.ended_at is not None else now
        if now - flight.ended_at >= _SETTLE_S:
            del self._flights[node]
            self._told.append(Told(target=flight.target, probe=self._failure(flight)))

    def _failure(self, flight: _Flight) -> NotKnown:
        said = self._store.last_words(flight.jobs, flight.job)
        job = f"job {flight.job_ids[-1]}" if flight.job_ids else "the job"
        tail = f"; it printed: {said}" if said else ", and printed nothing"
        return NotKnown(
            not_known=f"{job} ended as {flight.state} ({flight.reason}) without an answer{tail}",
            remedy="Does `submit: node_python` in the site config run on that node?",
        )

    def _report(self, total: int, unasked: int) -> None:
        pending = sorted(
            f"{node} ({flight.reason})"
            for node, flight in self._flights.items()
            if flight.state == "PENDING" and flight.reason not in _NO_REASON
        )
        line = f"{len(self._told)} of {total} nodes have answered"
        if pending:
            more = f" and {len(pending) - 3} more" if len(pending) > 3 else ""
            line += f"; waiting: {', '.join(pending[:3])}{more}"
        if unasked:
            line += f"; {unasked} are not asked yet"
        if line != self._last_line:
            self._last_line = line
            self._say(line)

    def _cancel(self, flights: Mapping[str, _Flight]) -> None:
        """End what has not answered; by name, because a job may exist whose id nobody told us."""
        if not flights:
            return
        try:
            rows = self._rows(flights)
            ids = {row.parent_id for some in rows.values() for row in some if row.state in _WAITING}
            if ids:
                checked(self._slurm.run(scancel.cancel_command(ids)))
        except SlurmError as error:
            self._say(f"could not cancel the probe's jobs: {error.message}")

    def _give_up(self, waiting: Sequence[ProbeTarget]) -> None:
        within = human_seconds(self._patience.timeout_s)
        for flight in self._flights.values():
            what = reason_words(flight.reason) if flight.state == "PENDING" else flight.state
            why = f"no answer within {within}; of its job Slurm says: {what}"
            self._told.append(Told(target=flight.target, probe=_late(why)))
        for target in waiting:
            self._told.append(
                Told(target=target, probe=_late(f"not asked within {within}: others came first"))
            )
        self._flights.clear()


def _late(why: str) -> NotKnown:
    return NotKnown(
        not_known=why,
        remedy="Wait longer (--timeout), take fewer GPUs (--gpus one), or try when it is quieter.",
    )
