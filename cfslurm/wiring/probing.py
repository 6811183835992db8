"""Nodes that tell what they have: from the harvest to jobs, answers, and what is kept of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.adapters.probe_answers import ProbeCache
from cfslurm.errors import SlurmUnavailableError, SubmissionInterruptedError, UserInputError

if TYPE_CHECKING:
    from cfslurm.adapters.probe_folder import JobWriting
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.core.hardware.probe_targets import ProbeTarget
    from cfslurm.stages.probe import Patience, Told
    from cfslurm.wiring import Context

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Whom a probe's jobs are charged to; empty leaves it to the settings, then to Slurm."""

    account: str = ""
    qos: str = ""


def probe_cache(context: Context) -> ProbeCache:
    """Where answers are kept.

    Raises:
        UserInputError: the site config names a folder by a path that is not absolute.
    """
    shared = context.site.storage.probes
    if shared and not shared.startswith("/"):
        raise UserInputError(
            f"storage.probes is {shared!r}, not an absolute path",
            remedy="Begin it with / in the site config.",
        )
    base = context.environment.get("XDG_CACHE_HOME")
    own = (Path(base) if base else context.environment.home / ".cache") / "cfslurm" / "probes"
    return ProbeCache(own=own, shared=Path(shared) if shared else None, uid=context.environment.uid)


def scripts(
    targets: tuple[ProbeTarget, ...], context: Context, charge: Charge
) -> tuple[tuple[str, str], ...]:
    """Node and script of every job that a probe would submit."""
    from cfslurm.adapters.probe_folder import probes_folder

    folder = probes_folder(context.runs, context.environment) / "PROBE-ID"
    jobs = _writing(context, charge).jobs(targets, probe_id="PROBE-ID", folder=folder)
    return tuple((job.node, job.script) for job in jobs.jobs)


def probe(
    targets: tuple[ProbeTarget, ...],
    graph: HardwareGraph,
    context: Context,
    *,
    charge: Charge,
    patience: Patience,
    say: Say,
) -> tuple[Told, ...]:
    """Ask nodes, keep their answers, and say what became of each.

    Raises:
        SlurmUnavailableError: Slurm does not answer; nothing of the probe is left in the queue that
            could be reached.
    """
    from cfslurm.adapters.probe_folder import probe_folder
    from cfslurm.core.hardware.probe import NodeProbe
    from cfslurm.stages.probe import Probing
    from cfslurm.stages.submit import Slurm

    cluster, cache = graph.controller.cluster, probe_cache(context)
    _sweep(cluster, cache, context, say)
    writing = _writing(context, charge)
    slurm = Slurm(run=context.run, clock=context.clock, user=context.environment.user)
    try:
        with probe_folder(context.runs, context.environment, context.clock, writing) as folder:
            told = Probing(store=folder, slurm=slurm, patience=patience, say=say).ask(targets)
    except SubmissionInterruptedError as error:
        raise KeyboardInterrupt from error
    except SlurmUnavailableError as error:
        raise SlurmUnavailableError(
            error.message,
            remedy="Run `scontrol ping`; when it says UP, run the same command again: it ends what "
            "this one has left.",
        ) from error
    for one in told:
        if isinstance(one.probe, NodeProbe):
            cache.keep(cluster, one.probe)
    return told


def _writing(context: Context, charge: Charge) -> JobWriting:
    from cfslurm.adapters.probe_folder import JobWriting
    from cfslurm.adapters.resources import shipped_text
    from cfslurm.core.render.probe import PROBE_TEMPLATES
    from cfslurm.core.slurm.sbatch import EXPORTED

    settings = context.settings
    return JobWriting(
        templates={name: shipped_text(f"sbatch_templates/{name}") for name in PROBE_TEMPLATES},
        python=settings.text("node_python") or sys.executable,
        account=charge.account or settings.text("account"),
        qos=charge.qos or settings.text("qos"),
        export=tuple(dict.fromkeys((*EXPORTED, *settings.texts("export")))),
    )


def _sweep(cluster: str, cache: ProbeCache, context: Context, say: Say) -> None:
    """End the jobs of calls whose client was killed, and keep what nodes have answered to them."""
    from cfslurm.adapters.probe_folder import abandoned_probe, answers_in, left_probes, lots_of
    from cfslurm.core.slurm import scancel, squeue
    from cfslurm.core.slurm.answers import checked

    for path in left_probes(context.runs, context.environment):
        with abandoned_probe(path, context.environment, now=context.clock.now()) as is_mine:
            if not is_mine:
                continue
            lots = lots_of(path)
            answer = context.run(squeue.user_jobs_command(context.environment.user))
            ids = [row.parent_id for row in squeue.read_jobs(answer) if row.name.startswith(lots)]
            if lots and ids:
                say(f"ending {len(ids)} job(s) of a probe that was cut off")
                checked(context.run(scancel.cancel_command(ids)))
            for found in answers_in(path):
                cache.keep(cluster, found)
