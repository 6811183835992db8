"""cfslurm logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cfslurm.cli.common import context_of

if TYPE_CHECKING:
    from pathlib import Path

    from cfslurm.wiring import Context

_POLL_S = 0.5


@click.command(
    name="logs",
    epilog="Examples:  cfslurm logs last   ·   cfslurm logs last agents/coder -f   ·   "
    "cfslurm logs last eval/17   (item 17)   ·   cfslurm logs last -n 5",
)
@click.argument("run", metavar="RUN", default="last")
@click.argument("part", metavar="[TASK[/ITEM]|GANG[/COMPONENT]]", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on printing until the run has ended.")
@click.option("-n", "--lines", type=click.IntRange(min=0), help="Only the last lines of each log.")
@click.pass_context
def command(ctx: click.Context, *, run: str, part: str, follow: bool, lines: int | None) -> None:
    """Print what the jobs of a run have written."""
    from cfslurm.adapters.run_directory import open_run
    from cfslurm.core.run.jobs import read_jobs
    from cfslurm.core.run.logs import log_names
    from cfslurm.core.run.names import JOBS, LOGS, MANIFEST
    from cfslurm.errors import UserInputError

    context = context_of(ctx)
    store = open_run(context.runs, run, context.environment)
    jobs = read_jobs(store.read_json(JOBS))
    wanted = log_names(part, jobs, store.read_json(MANIFEST))
    if wanted is None:
        names = ", ".join(sorted({job.entry for job in jobs}))
        raise UserInputError(f"the run has no part {part!r}", remedy=f"It has {names}.")
    folder = store.path / LOGS
    shown = _print_all(folder, wanted, lines)
    if follow:
        _follow(folder, wanted, shown, context, store.run_id)
    elif not shown:
        click.echo("nothing has been written yet; `cfslurm status` says why", err=True)


def _files(folder: Path, wanted: tuple[str, ...]) -> list[Path]:
    import fnmatch

    from cfslurm.core.run.logs import in_order

    names = in_order(path.name for path in folder.iterdir())
    return [folder / n for n in names if any(fnmatch.fnmatchcase(n, w) for w in wanted)]


def _print_all(folder: Path, wanted: tuple[str, ...], lines: int | None) -> dict[Path, int]:
    """Print every log; how much of each was printed."""
    shown = {}
    files = _files(folder, wanted)
    for path in files:
        data = path.read_bytes()
        shown[path] = len(data)
        text = data.decode("utf-8", "replace")
        if lines is not None:
            text = "".join(text.splitlines(keepends=True)[-lines:]) if lines else ""
        if len(files) > 1:
            click.echo(f"==> {path.name} <==")
        click.echo(text, nl=not text.endswith("\n") and bool(text))
    return shown


def _follow(
    folder: Path, wanted: tuple[str, ...], shown: dict[Path, int], context: Context, run_id: str
) -> None:
    """Print what is added, each line with the name of its log, until the run has no live job."""
    from cfslurm.core.run.comment import run_of
    from cfslurm.stages.watch import jobs_of_user

    rounds = 0
    while True:
        grown = _print_new(folder, wanted, shown)
        if not grown and rounds % 10 == 9:
            queued = jobs_of_user(run=context.run, user=context.environment.user)
            if all(run_of(job.comment) != run_id for job in queued):
                _print_new(folder, wanted, shown)
                return
        rounds += 1
        context.clock.sleep(_POLL_S)


def _print_new(folder: Path, wanted: tuple[str, ...], shown: dict[Path, int]) -> bool:
    grown = False
    for path in _files(folder, wanted):
        with path.open("rb") as file:
            file.seek(shown.get(path, 0))
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        shown[path] = shown.get(path, 0) + len(whole)
        for text in whole.decode("utf-8", "replace").splitlines():
            click.echo(f"{path.stem}: {text}")
            grown = True
    return grown
