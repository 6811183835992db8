from __future__ import annotations

import pytest

from cfslurm.adapters.patience import Patience
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmUnavailableError

NODES = Command(argv=("scontrol", "show", "nodes"))
JOBS = Command(argv=("squeue",))
QOS = Command(argv=("sacctmgr", "show", "qos"))


class _Hangs:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, command: Command, /) -> Completed:
        self.calls.append(command.argv[0])
        if command.argv[0] == "scontrol":
            raise SlurmUnavailableError("scontrol gave no answer within 30 s", remedy="ping")
        silent = command.argv[0] == "sacctmgr"
        stderr = "sacctmgr: error: Connection refused" if silent else ""
        return Completed(command=command, returncode=int(silent), stdout="", stderr=stderr)


def test_after_a_timeout_the_daemon_is_not_asked_again() -> None:
    hangs = _Hangs()
    run = Patience(hangs)
    for command in (NODES, JOBS, NODES):
        with pytest.raises(SlurmUnavailableError, match="no answer within 30 s"):
            run(command)
    assert hangs.calls == ["scontrol"]


def test_slurmdbd_and_slurmctld_are_two() -> None:
    hangs = _Hangs()
    run = Patience(hangs)
    assert run(QOS).returncode == 1
    assert run(JOBS).returncode == 0
    with pytest.raises(SlurmUnavailableError, match="could not reach Slurm"):
        run(QOS)
    assert hangs.calls == ["sacctmgr", "squeue"]


def test_a_refusal_is_an_answer() -> None:
    def refuses(command: Command, /) -> Completed:
        return Completed(command=command, returncode=1, stdout="", stderr="Invalid user id")

    run = Patience(refuses)
    assert [run(NODES).returncode, run(NODES).returncode] == [1, 1]
