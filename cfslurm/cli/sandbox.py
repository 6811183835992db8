"""cfslurm sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cfslurm.cli.output import note, print_json
from cfslurm.errors import ANSWER_IS_NO, OK

if TYPE_CHECKING:
    from cfslurm.sandbox.state import State
    from cfslurm.sandbox.status import Status

_SCHEMA = "cfslurm.sandbox/1"
_EPILOG = """\b
Examples:  cfslurm sandbox up
           eval "$(cfslurm sandbox env)"; sinfo
           cfslurm sandbox fail ada-1
           cfslurm sandbox down
See also:  sinfo(1), sbatch(1)"""


@click.group(name="sandbox", epilog=_EPILOG)
def command() -> None:
    """A private, real Slurm with pretend GPUs, to try things on.

    It runs as you, on ports, with a munge and in a folder of its own. It never touches a Slurm that
    is configured on this machine, and `down` leaves nothing behind.
    """


def _place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every subcommand has: which sandbox."""
    for option in (
        click.option(
            "--dir", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
            help="Its folder; default: ~/.local/state/cfslurm/sandbox/NAME.",
        ),
        click.option("--name", default="default", show_default=True, help="Which sandbox."),
    ):  # fmt: skip
        function = option(function)
    return function


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command(epilog="Example:  cfslurm sandbox up --profile tiny --name second")
@_place
@click.option(
    "--profile", default="lab", show_default=True, metavar="NAME|FILE", help="Which cluster."
)
@click.option(
    "--files", "rendered", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Make it of the files that `cfslurm site render -o DIR` wrote, in place of a profile.",
)  # fmt: skip
@click.option("--accounting", is_flag=True, help="Add slurmdbd with a MariaDB, and two accounts.")
@click.option(
    "--plugstack",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A plugstack.conf: the SPANK plugins that this Slurm loads; default: none.",
)
@click.option("--keep", is_flag=True, help="Keep the folder if a daemon does not start.")
@_json
def up(
    name: str,
    folder: Path | None,
    profile: str,
    rendered: Path | None,
    accounting: bool,
    plugstack: Path | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Start a sandbox and wait until its nodes are idle."""
    from cfslurm.adapters.clock import SystemClock
    from cfslurm.adapters.environment import read_environment
    from cfslurm.adapters.profile_file import load_profile
    from cfslurm.adapters.site_folder import read_rendered
    from cfslurm.core.render.slurm_conf import profile_of_files
    from cfslurm.sandbox.folder import locate, plugstack_file
    from cfslurm.sandbox.up import Request
    from cfslurm.sandbox.up import up as start

    environment = read_environment()
    files = None if rendered is None else read_rendered(rendered)
    request = Request(
        name=name,
        folder=locate(name, folder, environment),
        profile=load_profile(profile) if files is None else profile_of_files(files, str(rendered)),
        files=files,
        accounting=accounting,
        plugstack=None if plugstack is None else plugstack_file(plugstack, environment),
        keep=keep,
    )
    done = start(request, environment=environment, clock=SystemClock(), tell=_progress)
    if as_json:
        took_s = round(done.took_s, 3)
        print_json(_SCHEMA, sandbox=_facts(done.state), already_up=done.already, took_s=took_s)
    elif done.already:
        click.echo(f"already up: profile {done.state.profile} in {done.state.folder}")
    else:
        click.echo(f"ready in {done.took_s:.1f} s")
        note(f'next: eval "$(cfslurm sandbox env{_which(name, folder)})"')


@command.command(epilog="Example:  cfslurm sandbox status --json")
@_place
@_json
def status(name: str, folder: Path | None, as_json: bool) -> int:
    """Its daemons, nodes and jobs; exit code 1 if it does not run."""
    from cfslurm.sandbox.status import look

    seen = look(_required(name, folder))
    if as_json:
        print_json(
            _SCHEMA,
            sandbox=_facts(seen.state),
            is_up=seen.is_up,
            daemons=[{"daemon": one.daemon, "runs": one.runs} for one in seen.daemons],
            nodes=seen.nodes,
            jobs=seen.jobs,
        )
    else:
        _print_status(seen)
    return OK if seen.is_up else ANSWER_IS_NO


@command.command(epilog='Example:  eval "$(cfslurm sandbox env)"')
@_place
@click.option(
    "--shell",
    type=click.Choice(["sh", "fish"]),
    default="sh",
    show_default=True,
    help="Whose language to print; sh is for bash and zsh too.",
)
@click.option("--unset", is_flag=True, help="Print what takes the variables away again.")
def env(name: str, folder: Path | None, shell: str, unset: bool) -> None:
    """Print lines that point your shell at the sandbox.

    They set SLURM_CONF for Slurm's programs and CFSLURM_SITE for cfslurm.
    """
    from cfslurm.adapters.environment import read_environment
    from cfslurm.sandbox import shell as shells

    variables = _required(name, folder).variables
    if unset:
        click.echo(shells.fish_unsets(variables) if shell == "fish" else shells.unsets(variables))
        return
    inherited = read_environment().variables
    write = shells.fish_exports if shell == "fish" else shells.exports
    click.echo(write(variables, inherited=inherited))


@command.command(
    epilog="Example:  cfslurm sandbox shell -- sinfo -N",
    context_settings={"allow_interspersed_args": False},  # what follows COMMAND is its own
)
@_place
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def shell(name: str, folder: Path | None, words: tuple[str, ...]) -> None:
    """Run a shell or a command in the sandbox.

    Its exit code is the one of this command.
    """
    from cfslurm.adapters.environment import read_environment
    from cfslurm.sandbox.shell import become

    state = _required(name, folder)
    words = words or (read_environment().get("SHELL") or "/bin/sh",)
    become(words, state.variables)


@command.command(epilog="Example:  cfslurm sandbox fail 'ada-[1-2]'")
@_place
@_json
@click.argument("node")
def fail(name: str, folder: Path | None, as_json: bool, node: str) -> None:
    """Pull the plug of NODE.

    NODE is a name or a hostlist. Its jobs go back to the queue, as after any node failure.
    """
    from cfslurm.sandbox import failing

    names = failing.fail(_sandbox(name, folder), node)
    _say(names, "down", as_json=as_json)
    if not as_json:
        note(f"next: cfslurm sandbox recover {node}{_which(name, folder)}")


@command.command(epilog="Example:  cfslurm sandbox recover ada-1")
@_place
@_json
@click.argument("node")
def recover(name: str, folder: Path | None, as_json: bool, node: str) -> None:
    """Bring NODE back.

    NODE is a name or a hostlist.
    """
    from cfslurm.sandbox import failing

    _say(failing.recover(_sandbox(name, folder), node), "idle", as_json=as_json)


@command.command(epilog="Example:  cfslurm sandbox down --name second")
@_place
@_json
def down(name: str, folder: Path | None, as_json: bool) -> None:
    """End a sandbox, its jobs too, and delete its folder."""
    from cfslurm.adapters.clock import SystemClock
    from cfslurm.adapters.environment import read_environment
    from cfslurm.sandbox.down import down as end
    from cfslurm.sandbox.folder import locate

    environment = read_environment()
    place = locate(name, folder, environment)
    state = end(place, environment=environment, clock=SystemClock())
    if as_json:
        print_json(_SCHEMA, folder=str(place), was_there=state is not None)
    elif state is None:
        click.echo(f"there is no sandbox in {place}")
    else:
        click.echo("down; nothing is left")


def _required(name: str, folder: Path | None) -> State:
    from cfslurm.adapters.environment import read_environment
    from cfslurm.sandbox.down import refuse_other_host
    from cfslurm.sandbox.folder import locate
    from cfslurm.sandbox.status import required

    environment = read_environment()
    state = required(locate(name, folder, environment), options=_which(name, folder))
    refuse_other_host(state, environment)
    return state


def _sandbox(name: str, folder: Path | None) -> Any:
    from cfslurm.adapters.clock import SystemClock
    from cfslurm.adapters.environment import read_environment
    from cfslurm.sandbox.failing import Sandbox

    return Sandbox(
        state=_required(name, folder), environment=read_environment(), clock=SystemClock()
    )


def _progress(text: str) -> None:
    note(f" {text}")


def _which(name: str, folder: Path | None) -> str:
    import shlex

    if folder is not None:
        return f" --dir {shlex.quote(str(folder))}"
    return "" if name == "default" else f" --name {name}"


def _facts(state: State) -> dict[str, object]:
    return {
        "name": state.name,
        "folder": state.folder,
        "profile": state.profile,
        "slurm_version": state.slurm_version,
        "created": state.created,
        "accounting": state.accounting,
        "plugstack": state.plugstack,
        "slurmctld_port": state.slurmctld_port,
        "node_ports": state.node_ports,
        "environment": state.variables,
    }


def _say(names: tuple[str, ...], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_SCHEMA, nodes=[{"name": name, "state": what} for name in names])
    else:
        click.echo(f"{' '.join(names)} {what}")


def _print_status(seen: Status) -> None:
    from cfslurm.core.report.tables import table
    from cfslurm.core.slurm.units import human_seconds

    state = seen.state
    click.echo(
        f"sandbox {state.name}: {'up' if seen.is_up else 'not running'}, profile {state.profile}, "
        f"Slurm {state.slurm_version}, since {state.created}\nin {state.folder}\n"
    )
    rows = [
        (
            one.daemon.program,
            one.daemon.node,
            one.daemon.process.pid,
            "runs" if one.runs else "ended",
        )
        for one in seen.daemons
    ]
    click.echo(table(("DAEMON", "NODE", "PID", ""), rows))
    if seen.nodes:
        nodes = [
            (
                node.name,
                "+".join((node.state, *node.state_flags)).lower(),
                " ".join(f"{gres.count}x {gres.type}" for gres in node.gres or ()),
                sum(gres.count for gres in node.gres_used or ()) if node.gres else "",
                f"{node.cpus_allocated}/{node.cpus}",
                ",".join(node.partitions),
            )
            for node in seen.nodes
        ]
        click.echo("\n" + table(("NODE", "STATE", "GPUS", "USED", "CPUS", "PARTITIONS"), nodes))
    if seen.jobs:
        jobs = [
            (job.job_id, job.name, job.partition, job.state.lower(), human_seconds(job.used_s),
             job.nodelist or job.reason)
            for job in seen.jobs
        ]  # fmt: skip
        click.echo("\n" + table(("JOB", "NAME", "PARTITION", "STATE", "TIME", "WHERE/WHY"), jobs))
