"""The cluster as it is, or as it was a moment ago where that is good enough."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cfslurm.adapters.clock import utc_text
from cfslurm.adapters.files import read_json
from cfslurm.adapters.kept_answers import KeptAnswers, this_cluster
from cfslurm.adapters.patience import Patience
from cfslurm.adapters.process import which
from cfslurm.adapters.resources import shipped_text
from cfslurm.core.hardware.gpus import read_catalogue
from cfslurm.core.hardware.graph import SCHEMA, HardwareGraph
from cfslurm.core.hardware.parts import Freshness, Refresh, oldest_s, parts_read, refresh_s
from cfslurm.core.slurm.units import human_seconds
from cfslurm.errors import SlurmUnavailableError, UserInputError
from cfslurm.stages.harvest import harvest
from cfslurm.wiring.probing import probe_cache
from cfslurm.wiring.readers import cluster_reader

if TYPE_CHECKING:
    from cfslurm.wiring import Context

T = TypeVar("T")
HARVEST = "cfslurm harvest -o hardware.json"  # what writes a recorded cluster


def read_cluster(context: Context, freshness: Freshness) -> HardwareGraph:
    """Read the cluster; parts that are fresh enough come from the last answers.

    Raises:
        UserInputError: the site config is for another cluster; nothing is kept, and Slurm is not to
            be asked.
        SlurmUnavailableError: slurmctld does not answer.
        SlurmOutputError: an answer cannot be read.
    """
    kept = _kept(context, freshness)
    if kept is None and freshness is Freshness.KEPT:
        raise UserInputError(
            "nothing is kept of this cluster, since no slurm.conf here tells its name",
            remedy="Set SLURM_CONF to the file that Slurm's programs use.",
        )
    started = context.clock.now()
    site = context.site  # validated as a whole, before its setting of the reader counts
    try:
        graph = harvest(
            reader=cluster_reader(
                context.settings.text("slurm_reader"),
                kept or Patience(context.run),
                user=context.environment.user,
            ),
            probes=probe_cache(context),
            catalogue=read_catalogue(shipped_text("core/hardware/gpus.csv")),
            site=site,
            harvested_at=utc_text(started),
        )
    except SlurmUnavailableError as error:
        raise _with_last_known(error, kept, context.clock.now()) from error
    return graph if kept is None else _dated(graph, kept)


def _kept(context: Context, freshness: Freshness) -> KeptAnswers | None:
    """The last answers of this cluster; None where nobody can tell which cluster it is."""
    cluster = this_cluster(context.environment, which("scontrol"))
    if cluster is None:
        return None
    base = context.environment.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else context.environment.home / ".cache") / "cfslurm" / "cluster"
    refresh = _refresh(context)
    return KeptAnswers(
        run=Patience(context.run),
        folder=folder,
        cluster=cluster,
        uid=context.environment.uid,
        clock=context.clock,
        oldest_s=lambda part: oldest_s(part, freshness, refresh),
    )


def _refresh(context: Context) -> Refresh:
    def seconds(name: str) -> float:
        settings = context.settings
        return refresh_s(settings.text(name), where=f"{name} ({settings.origin(name)})")

    return Refresh(
        nodes_s=seconds("refresh_nodes"),
        settings_s=seconds("refresh_settings"),
        accounts_s=seconds("refresh_accounts"),
    )


def _dated(graph: HardwareGraph, kept: KeptAnswers) -> HardwareGraph:
    """The graph with the date of each part; what another cluster has answered is not kept."""
    warnings = [*graph.warnings, *kept.warnings]
    if graph.controller.cluster != kept.cluster.name:
        kept.forget()
        warnings.append(
            f"Slurm's programs ask cluster {graph.controller.cluster!r}, but {kept.cluster.slurm_conf} "
            f"is of {kept.cluster.name!r}: set SLURM_CONF; no answer is kept"
        )
    read_at = {part: utc_text(moment) for part, moment in kept.read_at.items()}
    return replace(
        graph,
        harvested_at=read_at.get("nodes", graph.harvested_at),
        parts=parts_read(read_at),
        warnings=tuple(warnings),
    )


def _with_last_known(
    error: SlurmUnavailableError, kept: KeptAnswers | None, now: float
) -> SlurmUnavailableError:
    """The same error; if an older answer is kept, with its age and the way to it."""
    moment = kept.last_read_at() if kept else None
    if moment is None:
        return error
    return SlurmUnavailableError(
        error.message,
        remedy=f"{error.remedy} What it said {human_seconds(max(0.0, now - moment))} ago is kept: "
        "`cfslurm info --last-known`; `cfslurm harvest --last-known -o FILE` makes a recorded "
        "cluster of it, for `cfslurm plan --hardware FILE`.",
    )


def _schema_of(kind: type[Any]) -> str:
    defaults = {field.name: field.default for field in fields(kind)}
    return SCHEMA if kind is HardwareGraph else str(defaults["schema"])


def recorded(kind: type[T], path: Path, how: str) -> T:
    """A document that was written into a file; ``how`` is the command that writes it.

    Raises:
        UserInputError: it cannot be read.
        InvalidFileError: it is no such document, or one of another version of cfslurm.
    """
    from cfslurm.adapters.validated import validate_json  # slow to import, and only needed here

    try:
        data = read_json(path)
    except (OSError, ValueError) as error:
        raise UserInputError(
            f"cannot read {path}: {error}", remedy=f"Write it with `{how}`."
        ) from error
    written, wanted = data.get("schema") if isinstance(data, dict) else None, _schema_of(kind)
    if written != wanted:
        what = f"is {written[:60]!r}" if isinstance(written, str) else "names no schema"
        raise UserInputError(
            f"{path} {what}, and {wanted!r} is read here", remedy=f"Write it with `{how}`."
        )
    return validate_json(kind, data, str(path))
