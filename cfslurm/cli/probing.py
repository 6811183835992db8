"""``cfslurm harvest --probe``: its options, and the way to the nodes and back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from cfslurm.errors import SlurmError, UserInputError

if TYPE_CHECKING:
    from cfslurm.core.hardware.graph import HardwareGraph
    from cfslurm.core.hardware.probe_targets import ProbeTarget
    from cfslurm.wiring import Context

F = TypeVar("F", bound=Callable[..., Any])
_ASKS = ("free", "all", "one", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What was said on the command line about a probe; ``is_wanted`` if anything was asked of nodes."""

    is_wanted: bool
    all_nodes: bool
    gpus: str
    timeout: str
    at_once: int
    partition: str
    account: str
    qos: str
    dry_run: bool


def probe_options(command: F) -> F:
    """The options of a probe; the command gets them together, as ``asking``."""

    @functools.wraps(command)
    def with_probe(
        *arguments: Any,
        is_wanted: bool,
        all_nodes: bool,
        gpus: str,
        timeout: str,
        at_once: int,
        partition: str,
        account: str,
        qos: str,
        dry_run: bool,
        **others: Any,
    ) -> Any:
        asking = ProbeOptions(
            is_wanted=is_wanted,
            all_nodes=all_nodes,
            gpus=gpus,
            timeout=timeout,
            at_once=at_once,
            partition=partition,
            account=account,
            qos=qos,
            dry_run=dry_run,
        )
        _refuse_stray(asking)
        return command(*arguments, asking=asking, **others)

    options = (
        click.option("--probe", "is_wanted", is_flag=True,
                     help="Let one node of each class tell what it has: a job of half a minute each."),
        click.option("--all-nodes", is_flag=True, help="With --probe: ask every node."),
        click.option("--gpus", type=click.Choice(_ASKS), default="free", show_default=True,
                     help="With --probe: how many of a node's GPUs its job takes meanwhile. A job sees "
                     "only those where Slurm fences them."),
        click.option("--timeout", default="10m", show_default=True, metavar="TIME",
                     help="With --probe: how long to wait for answers."),
        click.option("--at-once", type=click.IntRange(1, 1000), default=16, show_default=True,
                     help="With --probe: how many nodes are asked at the same time."),
        click.option("--partition", default="", help="With --probe: through this partition."),
        click.option("--account", default="", help="With --probe: charge this account."),
        click.option("--qos", default="", help="With --probe: under this QOS."),
        click.option("--dry-run", is_flag=True, help="With --probe: show the jobs, submit none."),
    )  # fmt: skip
    decorated: Any = with_probe
    for option in reversed(options):
        decorated = option(decorated)
    return cast("F", decorated)


def _refuse_stray(asking: ProbeOptions) -> None:
    """An option of a probe without --probe is a mistake, not a wish to be passed over."""
    source = click.get_current_context().get_parameter_source
    for one in fields(asking):
        given = source(one.name)
        if given and given.name == "COMMANDLINE" and not asking.is_wanted:
            flag = f"--{one.name.replace('_', '-')}"
            raise UserInputError(
                f"{flag} belongs to --probe", remedy=f"Add --probe, or drop {flag}."
            )


def probe(graph: HardwareGraph, options: ProbeOptions, context: Context) -> None:
    """Ask nodes, keep what they answer, and tell people on standard error.

    Raises:
        UserInputError: no such partition; a time that is none.
        SlurmError: no node has answered.
    """
    from cfslurm.cli.output import note
    from cfslurm.core.hardware.probe import NotKnown
    from cfslurm.core.report.probe_text import fencing_text, probe_text, remedy_text
    from cfslurm.core.report.tables import printable
    from cfslurm.core.slurm.units import duration_s
    from cfslurm.stages.probe import Patience
    from cfslurm.wiring.probing import Charge, scripts
    from cfslurm.wiring.probing import probe as ask_nodes

    patience = Patience(timeout_s=duration_s(options.timeout), at_once=options.at_once)
    charge = Charge(account=options.account, qos=options.qos)
    targets, text = _targets(graph, options)
    if options.dry_run:
        click.echo(text, err=True)
        for node, script in scripts(targets, context, charge):
            click.echo(f"--- {node}: sbatch --parsable --hold <<'END'\n{script}END")
        return
    note(text)
    told = ask_nodes(targets, graph, context, charge=charge, patience=patience, say=note)
    for one in told:
        if isinstance(one.probe, NotKnown):
            note(printable(f"{one.target.node}: {one.probe.not_known}"))
            if one.probe.remedy:
                note(printable(f"  try: {one.probe.remedy}"))
        else:
            note(printable(probe_text(one.probe)))
    answers = [one.probe for one in told if not isinstance(one.probe, NotKnown)]
    with_gpus = [one.probe for one in told if one.target.gpus_total]
    silent = [one for one in with_gpus if not isinstance(one, NotKnown)]
    for hint in (remedy_text(silent), fencing_text(answers)):
        if hint:
            note(printable(hint))
    if told and not answers:
        raise SlurmError(
            "no node has answered", remedy="The lines above say why, for each of them."
        )


def _targets(graph: HardwareGraph, options: ProbeOptions) -> tuple[tuple[ProbeTarget, ...], str]:
    from cfslurm.core.hardware.probe_targets import GpuAsk, every_node, one_of_each_class
    from cfslurm.core.report.probe_text import asks_text

    choose = every_node if options.all_nodes else one_of_each_class
    ask = GpuAsk(options.gpus)
    targets, left_out = choose(graph, ask=ask, partition=options.partition)
    return targets, asks_text(targets, left_out, ask)
