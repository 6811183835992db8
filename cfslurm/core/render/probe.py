"""Nodes to ask → probe jobs with their scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import join

from cfslurm.core.hardware.probe_targets import ProbeTarget
from cfslurm.core.render.sbatch import render
from cfslurm.core.render.submission import Ask, Dependency
from cfslurm.core.run.comment import comment_of

PROBE_TEMPLATES = ("macros.sh.j2", "probe.sbatch.j2")
ANSWERS = "answers"  # the folder of a probe in which nodes leave their answers
_MEMORY_MIB = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """What all jobs of a probe have in common; ``account`` and ``qos`` may be empty.

    ``directory`` is on a filesystem that all nodes see.
    """

    probe_id: str
    directory: str
    python: str
    account: str
    qos: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeJob:
    """A job that lets one node tell what it has, and leaves the answer in a file."""

    key: str
    name: str
    node: str
    ask: Ask
    answer: str
    script: str
    depends: tuple[Dependency, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeJobs:
    """Probe jobs that are submitted together."""

    directory: str
    export: tuple[str, ...]
    jobs: tuple[ProbeJob, ...]


def probe_jobs(
    targets: Sequence[ProbeTarget],
    templates: Mapping[str, str],
    settings: ProbeSettings,
    *,
    export: tuple[str, ...],
) -> ProbeJobs:
    """One job for each node.

    Raises:
        UserInputError: a name cannot stand in an #SBATCH line.
    """
    jobs = tuple(_job(target, templates, settings) for target in targets)
    return ProbeJobs(directory=settings.directory, export=export, jobs=jobs)


def _job(target: ProbeTarget, templates: Mapping[str, str], settings: ProbeSettings) -> ProbeJob:
    ask = Ask(
        partitions=(target.partition,),
        gres=target.gres,
        constraint="",
        exclude="",
        cpus=1,
        mem_mib=_MEMORY_MIB,
        time_limit_s=target.time_limit_s,
    )
    job = ProbeJob(
        key=target.node,
        name=f"{settings.probe_id}.{target.node}",
        node=target.node,
        ask=ask,
        answer=join(settings.directory, ANSWERS, f"{target.node}.json"),
        script="",
    )
    values = {
        "job": job,
        "target": target,
        "comment": comment_of(settings.probe_id, job.key),
        "python": settings.python,
        "account": settings.account,
        "qos": settings.qos,
        "nice": 0,
    }
    return replace(job, script=render(templates, "probe.sbatch.j2", values))
