"""Slurm failing where a test says so: wrappers that stand first on a user's PATH, a slurmctld that goes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from cfslurm.adapters.environment import read_environment
from cfslurm.sandbox.daemons import Launcher
from cfslurm.sandbox.programs import find_programs
from cfslurm.sandbox.state import read_state, write_state
from tests.slurm.conftest import Slurm
from tests.slurm.user import User

TASK = 'command: ["true"], work: {time: 1s}, time: 1m, resources: {mem: 50M}'
CHAIN = f"""\
name: chain
tasks:
  a: {{{TASK}}}
  b: {{{TASK}, needs: [a]}}
  c: {{{TASK}, needs: [b]}}
"""
KEYS = ("a", "b", "c")
ENDED = frozenset({"COMPLETED", "CANCELLED"})
Completed = subprocess.CompletedProcess[str]

# What a fault does, in sh. cfslurm passes few variables on, so the plan lies in a file beside the
# wrapper. A client that is killed must have written its script before: the wrapper has read it.
_WRAPPER = """\
#!/bin/sh
here={here} program={program} real={real}
case "$program $*" in
  *" --test-only "*) exec "$real" "$@" ;;
  sbatch*) cat > "$here/script.$$"; exec < "$here/script.$$" ;;
  "scontrol release "*) ;;
  *) exec "$real" "$@" ;;
esac
echo "$*" >> "$here/$program.calls"
call=$(grep -c '' "$here/$program.calls")
planned=$(grep "^$program $call " "$here/plan") || exec "$real" "$@"
fault=$(echo "$planned" | cut -d ' ' -f 3) argument=$(echo "$planned" | cut -d ' ' -f 4)
: > "$here/met"
say() {{ echo "$program: error: $1" >&2; }}
case $fault in
  refuse) say 'Batch job submission failed: Requested node configuration is not available'; exit 1 ;;
  drop) say 'Batch job submission failed: Socket timed out on send/recv operation'; exit 1 ;;
  lose) "$real" "$@" > /dev/null
        say 'Batch job submission failed: Socket timed out on send/recv operation'; exit 1 ;;
  lose-silently) "$real" "$@" > /dev/null; exit 1 ;;
  lose-killed) "$real" "$@" > /dev/null; kill -KILL $$ ;;
  lose-garbage) "$real" "$@" > /dev/null; echo 'Have a nice day!' ;;
  twice) "$real" "$@" < "$here/script.$$" > /dev/null; exec "$real" "$@" < "$here/script.$$" ;;
  wrong-id) "$real" "$@" > /dev/null; echo "$*" | sed 's/.*afterok:\\([0-9]*\\).*/\\1/; t; s/.*/4000000/' ;;
  hang) exec sleep 300 ;;
  lose-and-hang) "$real" "$@" > /dev/null; exec sleep 300 ;;
  kill-before) kill -KILL $PPID ;;
  kill-after) "$real" "$@" > /dev/null; kill -KILL $PPID ;;
  kill-early) kill -KILL $PPID; sleep 0.5; "$real" "$@" > /dev/null 2>&1 ;;
  interrupt-before) kill -INT $PPID; exec sleep 5 ;;
  interrupt-after) "$real" "$@" > /dev/null; kill -INT $PPID; exec sleep 5 ;;
  kill-daemon) kill -KILL $argument; exec "$real" "$@" ;;
  stop-daemon) kill -STOP $argument; exec "$real" "$@" ;;
  wait) : > "$here/waiting"; while [ ! -e "$here/go" ]; do sleep 0.02; done; exec "$real" "$@" ;;
esac
"""


@dataclass(frozen=True)
class Faults:
    """The wrappers of one user; without a plan they only pass on."""

    folder: Path

    def plan(self, fault: str, *, call: int, program: str = "sbatch", argument: str = "") -> None:
        """Let the ``call``-th call from now on, counted from 1, meet a fault; and none else."""
        self.clear()
        self.plan_more(fault, call=call, program=program, argument=argument)

    def plan_more(
        self, fault: str, *, call: int, program: str = "sbatch", argument: str = ""
    ) -> None:
        """Let another call meet a fault."""
        with (self.folder / "plan").open("a") as plan:
            plan.write(f"{program} {call} {fault} {argument}\n")

    def clear(self) -> None:
        """Pass everything on, and count anew."""
        (self.folder / "plan").write_text("")
        for path in (*self.folder.glob("*.calls"), self.folder / "met"):
            path.unlink(missing_ok=True)

    def met(self) -> bool:
        """True if the planned call has come."""
        return (self.folder / "met").exists()

    def calls(self, program: str) -> int:
        """How often a program was called since the plan was made."""
        calls = self.folder / f"{program}.calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


@dataclass(frozen=True)
class Client:
    """A user who submits a workflow of three jobs, and the faults that wait for him."""

    user: User
    faults: Faults

    def submit(self) -> Completed:
        return self.user.cfslurm("submit", "workflow.yaml", "--parsable")

    def submit_well(self) -> str:
        """Submit with no fault left; the run's id."""
        self.faults.clear()
        done = self.submit()
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run_ids(self) -> list[str]:
        return sorted(path.name for path in self.user.runs.glob("chain-*"))

    def run_id(self) -> str:
        """The id of the only run."""
        (run_id,) = self.run_ids()
        return run_id

    def jobs_of(self, run_id: str) -> dict[str, list[tuple[str, str]]]:
        """What Slurm has of a run, ended jobs too: state and reason of all jobs by key."""
        text = self.user.slurm.run("squeue", "-h", "--states=all", "-o", "%j|%T|%r").stdout
        found: dict[str, list[tuple[str, str]]] = {}
        for name, state, reason in (line.split("|") for line in text.splitlines()):
            if name.startswith(f"{run_id}."):
                found.setdefault(name.removeprefix(f"{run_id}."), []).append((state, reason))
        return found

    def queued(self, run_id: str) -> list[str]:
        """The jobs of a run that wait or run."""
        jobs = self.jobs_of(run_id)
        return [key for key in jobs for state, _ in jobs[key] if state not in ENDED]

    def events(self, run_id: str, folder: str) -> list[dict[str, Any]]:
        """The lines of all files below the ledger or the outcomes."""
        files = (self.user.runs / run_id / folder).rglob("*.jsonl")
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    def assert_held(self, run_id: str, keys: tuple[str, ...]) -> None:
        """Exactly these jobs are in the queue, held, and nothing has run."""
        assert self.jobs_of(run_id) == {key: [("PENDING", "JobHeldUser")] for key in keys}
        assert self.events(run_id, "outcomes") == []

    def assert_each_ran_once(self, run_id: str) -> None:
        """By Slurm's books and by cfslurm's files, and none before all were there."""
        ended = self.user.eventually(lambda: self._ended(run_id), within_s=60)
        assert ended == {key: ["COMPLETED"] for key in KEYS}
        status = self.user.status(run_id)
        assert status["run"]["state"] == "done"
        counts = {
            key: [(item["starts"], item["results"]) for item in items]
            for key, items in status["items"].items()
        }
        assert counts == {key: [(1, 1)] for key in KEYS}
        ledger = self.events(run_id, "ledger")
        released_at = min(event["at"] for event in ledger if event["event"] == "releasing")
        began_at = min(event["at"] for event in self.events(run_id, "outcomes"))
        assert released_at <= began_at

    def assert_in_order(self, run_id: str) -> None:
        """Each task of the chain has begun after the one before it had ended."""
        events = [self.events(run_id, f"outcomes/{key}") for key in KEYS]
        for before, after in pairwise(events):
            assert max(event["at"] for event in before) <= min(event["at"] for event in after)

    def _ended(self, run_id: str) -> dict[str, list[str]] | None:
        """The states of the jobs that were not cancelled; None until all have ended."""
        jobs = self.jobs_of(run_id)
        if not {state for of in jobs.values() for state, _ in of} <= ENDED:
            return None
        return {key: [state for state, _ in of if state != "CANCELLED"] for key, of in jobs.items()}


def client_of(user: User, folder: Path) -> Client:
    """The same user with the chain in his folder; his sbatch and ``scontrol release`` can fail."""
    folder.mkdir()
    for program in ("sbatch", "scontrol"):
        real = shutil.which(program)
        assert real is not None
        here = shlex.quote(str(folder))
        wrapper = folder / program
        wrapper.write_text(_WRAPPER.format(here=here, program=program, real=shlex.quote(real)))
        wrapper.chmod(0o755)
    path = f"{folder}:{user.variables['PATH']}"
    client = Client(
        user=replace(user, variables={**user.variables, "PATH": path}), faults=Faults(folder)
    )
    client.faults.clear()
    client.user.write(CHAIN)
    return client


@dataclass(frozen=True)
class Controller:
    """The slurmctld of a sandbox."""

    slurm: Slurm

    @property
    def pid(self) -> int:
        state = read_state(self.slurm.path)
        assert state is not None
        (found,) = (one for one in state.daemons if one.program == "slurmctld")
        return found.process.pid

    def go_on(self) -> None:
        """After it was stopped."""
        os.kill(self.pid, signal.SIGCONT)

    def start_without_jobs(self) -> None:
        """After it was killed, before it has saved its jobs: it forgets them and gives their ids again."""
        for path in (self.slurm.path / "state").glob("job_state*"):
            path.unlink()
        state = read_state(self.slurm.path)
        assert state is not None
        programs = find_programs(accounting=False)
        started = Launcher(state, programs, home=read_environment().home).slurmctld()
        write_state(state.with_daemon(started.daemon))
        started.release()
        while self.slurm.run("sinfo", "-h", "-o", "%T").stdout.split() != ["idle"]:
            time.sleep(0.05)
