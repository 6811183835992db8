"""Is everything here that cfslurm needs? Each check answers for one thing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from cfslurm import __version__
from cfslurm.adapters.process import which
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.hardware.parts import Freshness
from cfslurm.core.slurm import srun
from cfslurm.core.slurm.units import human_bytes
from cfslurm.errors import CfslurmError
from cfslurm.wiring import Context

Grade = Literal["ok", "warn", "fail"]
_PROGRAMS = ("sbatch", "squeue", "scontrol", "scancel", "srun", "sacctmgr")
_LEAST_FREE = 5 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One answer; ``remedy`` is empty where nothing is to be done."""

    name: str
    grade: Grade
    detail: str
    remedy: str = ""


def checkup(context: Context, *, ask_hub: bool) -> tuple[Check, ...]:
    """Look at this machine, at Slurm, at storage and at the Hub; a check that fails ends no other."""
    checks = [_this_program(), _programs(), _site(context), _solver()]
    graph, answer = _controller(context)
    checks.append(answer)
    if graph is not None:
        checks += [_reader(context, graph), *_slurm_settings(graph)]
        checks += _plugin(context)
    checks += [
        _folder("Runs", context.runs, context.settings.origin("runs")),
        _folder(
            "Model cache",
            Path(context.settings.text("model_cache")),
            context.settings.origin("model_cache"),
        ),
    ]
    if ask_hub:
        checks.append(_hub(context))
    return tuple(checks)


def _this_program() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    compiled = Path(__file__).with_name("__pycache__").is_dir()
    detail = f"{__version__} on Python {version}"
    if compiled or os.access(Path(__file__).parent, os.W_OK):
        return Check(name="cfslurm", grade="ok", detail=detail)
    return Check(
        name="cfslurm",
        grade="warn",
        detail=f"{detail}, without compiled bytecode: every start is several times slower",
        remedy="Install with `uv tool install --compile-bytecode`, or let pip compile.",
    )


def _programs() -> Check:
    missing = [name for name in _PROGRAMS if which(name) is None]
    if missing:
        return Check(
            name="Programs",
            grade="fail",
            detail=f"not found: {', '.join(missing)}",
            remedy="Load Slurm's client programs (module load slurm), or log in to a login node.",
        )
    return Check(name="Programs", grade="ok", detail=", ".join(_PROGRAMS))


def _site(context: Context) -> Check:
    if context.site_file is None:
        return Check(
            name="Site",
            grade="ok",
            detail="no site config: everything comes from Slurm and the built-in tables",
        )
    try:
        site = context.site
    except CfslurmError as error:
        return Check(name="Site", grade="fail", detail=error.message, remedy=error.remedy)
    name = site.site.name or context.site_file.name
    return Check(name="Site", grade="ok", detail=f"{name} ({context.site_file})")


def _solver() -> Check:
    if find_spec("highspy") is not None:
        return Check(name="Solver", grade="ok", detail="HiGHS")
    return Check(name="Solver", grade="ok", detail="CBC, as PuLP brings it")


def _controller(context: Context) -> tuple[HardwareGraph | None, Check]:
    started = context.clock.monotonic()
    try:
        graph = context.harvest(Freshness.NOW)
    except CfslurmError as error:
        return None, Check(name="Slurm", grade="fail", detail=error.message, remedy=error.remedy)
    took_ms = (context.clock.monotonic() - started) * 1000
    gpus = sum(node.gpu_count for node in graph.nodes)
    controller = graph.controller
    return graph, Check(
        name="Slurm",
        grade="warn" if graph.warnings else "ok",
        detail=f"{controller.slurm_version}, cluster {controller.cluster}: {len(graph.nodes)} nodes, "
        f"{gpus} GPUs, read in {took_ms:.0f} ms",
        remedy="; ".join(graph.warnings),
    )


def _reader(context: Context, graph: HardwareGraph) -> Check:
    """Which way the cluster was read, and who says so."""
    wanted = context.settings.text("slurm_reader")
    origin = context.settings.origin("slurm_reader")
    return Check(
        name="Reader", grade="ok", detail=f"{graph.backend} (slurm_reader: {wanted}, {origin})"
    )


def _slurm_settings(graph: HardwareGraph) -> Iterator[Check]:
    controller = graph.controller
    if controller.requeue_delay_s > 30:
        yield Check(
            name="Requeue wait",
            grade="warn",
            detail=f"a requeued job waits {controller.requeue_delay_s} s before it may start again",
            remedy="Operators can shorten it: AuthInfo=cred_expire=… or, from 25.11, requeue_delay.",
        )
    preempts = any(partition.is_preemptible for partition in graph.partitions)
    if preempts and not controller.sends_user_signal_on_preemption:
        yield Check(
            name="Preemption",
            grade="warn",
            detail="Slurm does not send --signal when it preempts: work since the last checkpoint is lost",
            remedy="Operators can set SlurmctldParameters=preempt_send_user_signal.",
        )
    if not controller.backfills:
        yield Check(
            name="Gangs",
            grade="warn",
            detail="SchedulerType is not sched/backfill: Slurm starts het jobs, and so gangs, only by it",
            remedy="Use tasks, or ask the operators.",
        )
    grade: Grade = "ok"
    detail = (
        "slurmdbd" if controller.has_accounting else "none: runs are watched by squeue and files"
    )
    yield Check(name="Accounting", grade=grade, detail=detail)


def _plugin(context: Context) -> Iterator[Check]:
    """Whether srun has the SPANK plugin's options here; which version a node has, only a job knows."""
    try:
        options = srun.read_plugin_options(context.run(srun.help_command()))
    except CfslurmError:
        return  # srun is missing, or Slurm does not answer: another check says so
    version = context.environment.get("CFSLURM_SPANK")
    if version:
        detail = f"{version}, active in this job"
    elif options:
        detail = f"srun, sbatch and salloc have {', '.join(options)}"
    else:
        detail = "not installed (optional): srun, sbatch and salloc have no --cf-model"
    yield Check(name="SPANK plugin", grade="ok", detail=detail)


def _folder(name: str, path: Path, origin: str) -> Check:
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{path} ({origin}), {human_bytes(free)} free"
    if not os.access(existing, os.W_OK):
        return Check(
            name=name,
            grade="fail",
            detail=f"{detail}, not writable",
            remedy="Choose another folder.",
        )
    if str(path).startswith(("/tmp/", "/var/tmp/")):
        return Check(
            name=name,
            grade="warn",
            detail=f"{detail}: compute nodes have a /tmp of their own",
            remedy="Choose a folder that all nodes see (CFSLURM_RUNS, CFSLURM_MODEL_CACHE).",
        )
    if free < _LEAST_FREE:
        return Check(name=name, grade="warn", detail=detail, remedy="Make room.")
    return Check(name=name, grade="ok", detail=detail)


def _hub(context: Context) -> Check:
    endpoint = context.settings.text("hf_endpoint")
    try:
        context.hub(context.sources).ping()
    except CfslurmError as error:
        return Check(name="Hub", grade="warn", detail=error.message, remedy=error.remedy)
    return Check(name="Hub", grade="ok", detail=endpoint)
