from __future__ import annotations

import pytest

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.sbatch import (
    feasibility_command,
    read_feasibility,
    read_job_id,
    submit_command,
)
from cfslurm.errors import SlurmOutputError, SlurmRejectedError, SlurmUnavailableError


def _done(stdout: str = "", *, code: int = 0, error: str = "") -> Completed:
    return Completed(
        command=Command(argv=("sbatch",)), returncode=code, stdout=stdout, stderr=error
    )


@pytest.mark.parametrize(
    ("stdout", "job_id"),
    [("12\n", "12"), ("12;cluster\n", "12"), ("some plugin's remark\n13\n", "13")],
)
def test_job_id(stdout: str, job_id: str) -> None:
    assert read_job_id(_done(stdout)) == job_id


@pytest.mark.parametrize("stdout", ["", "Submitted batch job 12\n", "12 13\n"])
def test_other_output_is_refused(stdout: str) -> None:
    with pytest.raises(SlurmOutputError):
        read_job_id(_done(stdout))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            SlurmUnavailableError,
        ),
        (
            "sbatch: error: Batch job submission failed: Connection reset by peer",
            SlurmUnavailableError,
        ),
        (
            "sbatch: error: Batch job submission failed: Invalid account or account/partition",
            SlurmRejectedError,
        ),
    ],
)
def test_silence_and_refusal_are_two_errors(error: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        read_job_id(_done(code=1, error=error))


def test_options_reach_sbatch_as_words_and_only_named_variables_are_exported() -> None:
    command = submit_command("#!/bin/bash\n", options=("--chdir=/a b; rm -rf /",), export=("PATH",))
    assert command.argv == ("sbatch", "--parsable", "--chdir=/a b; rm -rf /")
    assert (command.inherit, dict(command.environment)) == (("PATH",), {})


def test_test_only_is_never_parsable() -> None:
    command = feasibility_command("#!/bin/bash\n", options=("--chdir=/",))
    assert command.argv == ("sbatch", "--test-only", "--chdir=/")


@pytest.mark.parametrize(
    ("error", "start", "nodes"),
    [
        (
            "sbatch: Job 7 to start at 2026-11-20T23:35:33 using 1 processors on nodes n2 in partition gpu",
            "2026-11-20T23:35:33",
            "n2",
        ),
        (
            "sbatch: Job 7 to start at 2026-11-20T23:43:38 a using 1 processors on nodes n2 in partition gpu",
            "2026-11-20T23:43:38",
            "n2",
        ),
        (
            "sbatch: Job 1 to start at 2026-11-21T02:24:46 using 2 processors on n[1-2]",
            "2026-11-21T02:24:46",
            "n[1-2]",
        ),
        (
            "sbatch: Job 7 to start at 2055-03-30T10:00:00 using 1 processors on nodes n2 in partition gpu",
            "",
            "n2",
        ),
    ],
)
def test_feasibility(error: str, start: str, nodes: str) -> None:
    answer = read_feasibility(_done(error=error), this_year=2026)
    assert (answer.accepted, answer.start, answer.nodelist) == (True, start, nodes)


def test_refusal_keeps_slurms_words() -> None:
    answer = read_feasibility(
        _done(code=1, error="allocation failure: Requested node configuration is not available"),
        this_year=2026,
    )
    assert not answer.accepted
    assert answer.message == "allocation failure: Requested node configuration is not available"
