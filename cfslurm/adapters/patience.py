"""Nobody waits twice for a daemon that does not answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from cfslurm.core.slurm.answers import is_silence, refusal
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmError, SlurmUnavailableError
from cfslurm.ports import RunCommand


@dataclass(slots=True)
class Patience:
    """A `RunCommand` for one harvest: the first call that a daemon leaves unanswered is the last one.

    A harvest makes a dozen calls, each of which may wait as long as Slurm's MessageTimeout; with this
    it waits so long for slurmctld once, and for slurmdbd once.
    """

    run: RunCommand
    silent: dict[str, SlurmError] = field(default_factory=dict)

    def __call__(self, command: Command, /) -> Completed:
        """Run it.

        Raises:
            SetupError: the program is not there.
            SlurmUnavailableError: it ran past its timeout, or an earlier call got no answer.
        """
        daemon = "slurmdbd" if command.argv[0] == "sacctmgr" else "slurmctld"
        before = self.silent.get(daemon)
        if before is not None:
            raise SlurmUnavailableError(before.message, remedy=before.remedy)
        try:
            done = self.run(command)
        except SlurmUnavailableError as error:
            self.silent[daemon] = error
            raise
        if is_silence(done):
            self.silent[daemon] = refusal(done)
        return done
