"""One component of a gang: meets the others, then runs its command."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from cfslurm.adapters.environment import Environment
from cfslurm.core.run.manifest import ComponentEntry, GangEntry
from cfslurm.core.run.names import GANGS, SESSIONS
from cfslurm.core.run.outcomes import Event
from cfslurm.node.attempt import DONE, REQUEUE, load_manifest, run_program, take_result
from cfslurm.node.interrupts import Interrupts
from cfslurm.node.outcome_file import OutcomeFile
from cfslurm.node.place import find_place
from cfslurm.node.rendezvous import Card, free_port, meet, met_before, starts_of
from cfslurm.node.session_rounds import Together, marked
from cfslurm.node.surroundings import Here, surroundings, with_peers, with_rounds
from cfslurm.ports import Clock


def run_component(
    run: Path, *, entry: str, job_key: str, name: str, environment: Environment, clock: Clock
) -> int:
    """Run one component; its exit code, or 75 if it was cut off.

    Raises:
        SetupError: the node, the variant or the program is not what the plan expects, or another
            component did not come.
    """
    interrupts = Interrupts()
    manifest = load_manifest(run)
    place = find_place(environment, manifest)
    gang = manifest.gangs[entry]
    component = _component(gang, name)
    replica = gang.jobs[job_key]
    outcome = OutcomeFile(run, job_key=job_key, name=name, attempt=place.attempt, clock=clock)
    variant = component.program.variants.get(place.node_class)
    outcome.tell(
        Event.ATTEMPT,
        attempt=place.attempt,
        job=place.job_id,
        node=place.node,
        **{"class": place.node_class, "variant": variant.variant if variant else ""},
    )
    with outcome.telling_errors(), TemporaryDirectory(prefix="cfslurm-") as temporary:
        around = surroundings(
            component.program,
            Here(
                manifest=manifest,
                place=place,
                temporary=Path(temporary),
                inherited=environment.variables,
            ),
            entry=entry,
            session=f"{entry}.{replica}.{name}",
        )
        everybody = [part.name for part in gang.components]
        before = met_before(run / GANGS / job_key, attempt=place.attempt, everybody=everybody)
        starts = starts_of(before)
        sessions = {
            part.name: run / SESSIONS / f"{entry}.{replica}.{part.name}"
            for part in gang.components
            if part.program.session is not None and part.program.session.is_coordinated
        }
        with free_port() as holder:
            cards = meet(
                run / GANGS / job_key / str(place.attempt),
                me=name,
                card=Card(
                    host=place.address,
                    port=holder.getsockname()[1],
                    rounds=tuple(marked(sessions[name], starts)) if name in sessions else None,
                ),
                everybody=everybody,
                clock=clock,
            )
        addresses = {peer: (card.host, card.port) for peer, card in cards.items()}
        around = with_peers(around, component=name, replica=replica, peers=addresses)
        if name in sessions:
            together = Together(
                starts=(*starts, *starts_of({place.attempt: cards})),
                peers=tuple(path for peer, path in sessions.items() if peer != name),
            )
            around = with_rounds(around, together.text())
        outcome.tell(Event.START, item=0)
        ended = run_program(component.program, around, interrupts, clock=clock, spare=False)
        result = take_result(Path(temporary))
    if ended.code == 0:
        outcome.tell(Event.DONE, item=0, exit=0, result=result)
        code = DONE
    elif interrupts.any or ended.code == REQUEUE:
        outcome.tell(Event.INTERRUPTED, item=0, reason=ended.text)
        code = REQUEUE
    else:
        outcome.tell(Event.FAILED, item=0, exit=ended.code, reason=ended.text)
        code = ended.code if ended.code > 0 else 128 - ended.code
    outcome.tell(Event.END, exit=code)
    outcome.close()
    return code


def _component(gang: GangEntry, name: str) -> ComponentEntry:
    return next(part for part in gang.components if part.name == name)
