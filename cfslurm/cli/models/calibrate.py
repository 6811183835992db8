"""cfslurm models calibrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import context_of, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cfslurm.core.models.calibration import Observation


@click.command(
    name="calibrate",
    epilog="Examples:  cfslurm models calibrate   ·   cfslurm models calibrate last   ·   "
    "cfslurm models calibrate lab-3f09a1 --json",
)
@click.argument("run", metavar="[RUN]", default="")
@json_option
@click.pass_context
def command(ctx: click.Context, *, run: str, as_json: bool) -> None:
    """Learn from a finished RUN how long work takes here, or show what has been learned.

    Measured times are kept beside what was predicted, and correct the next plan. `cfslurm status` does
    this by itself for runs of yours that have ended.
    """
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.cli.output import note, print_json
    from cfslurm.stages.watch import gather, jobs_of_run
    from cfslurm.wiring.calibrating import files, learn

    context = context_of(ctx)
    ledgers = files(context)
    if run:
        store = open_run(context.runs, run, context.environment)
        found = learn(context, store, gather(store, jobs_of_run(store, run=context.run)))
        refused = 0
    else:
        found, refused = ledgers.read()
    if as_json:
        print_json("cfslurm.models_calibrate/1", observations=found, refused=refused)
        return
    click.echo(_text(found) if found else _nothing(run))
    if refused:
        note(f"{refused} line(s) of the ledgers are damaged or not to be believed, and left out")
    note(f"ledger: {ledgers.own}")


def _nothing(run: str) -> str:
    if run:
        return f"nothing to be learned from {run}: no item of its tasks has ended well yet"
    return (
        "nothing has been learned yet: run something, then look at it with `cfslurm status last` or "
        "`cfslurm models calibrate last`"
    )


def _text(found: Sequence[Observation]) -> str:
    from cfslurm.core.report.tables import table

    header = (
        "RUN", "WORK", "VARIANT", "GPU", "ENGINE", "WHAT", "PREDICTED", "MEASURED", "RATIO", "ITEMS",
        "BY",
    )  # fmt: skip
    return table(
        header,
        [
            (
                one.run,
                one.subject.work,
                one.subject.variant or "-",
                one.subject.gpu or "-",
                one.subject.engine or "-",
                one.quantity.value,
                f"{one.predicted:.4g}",
                f"{one.measured:.4g}",
                f"{one.measured / one.predicted:.2f}",
                one.count,
                one.user,
            )
            for one in found
        ],
    )
