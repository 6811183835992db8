from __future__ import annotations

import pytest

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.squeue import read_jobs
from cfslurm.errors import SlurmOutputError, SlurmUnavailableError

# Captured from Slurm 22.05.8 with SLURM_TIME_FORMAT=%s and SLURM_BITSTR_LEN=0.
_ROWS = """\
12_[4-9%2]|12|PENDING|Resources|0:00|10:00|N/A|1795230336|gpu,preempt||cfslurm:run=lab-1,job=eval|lab-1.eval
12_3|15|RUNNING|None|1:05|10:00|1795230400|1795230336|gpu|ada-1|cfslurm:run=lab-1,job=eval|lab-1.eval
20+1|21|PENDING|BeginTime|0:00|1-00:00:00|1795230500|1795230336|preempt||(null)|other
7|7|RUNNING|None|INVALID|UNLIMITED|0|1795230336|gpu|n[1-2]|(null)|a|b c
"""


def _done(stdout: str = "", *, code: int = 0, error: str = "") -> Completed:
    return Completed(
        command=Command(argv=("squeue",)), returncode=code, stdout=stdout, stderr=error
    )


def test_every_shape_of_job_id() -> None:
    jobs = read_jobs(_done(_ROWS))
    assert [(job.job_id, job.parent_id) for job in jobs] == [
        ("12_[4-9%2]", "12"),
        ("12_3", "12"),
        ("20+1", "20"),
        ("7", "7"),
    ]


def test_times_and_texts() -> None:
    waiting, running, het, odd = read_jobs(_done(_ROWS))
    assert (waiting.start_time, waiting.time_limit_s, waiting.reason) == (None, 600, "Resources")
    assert (running.used_s, running.start_time, running.nodelist) == (65, 1_795_230_400, "ada-1")
    assert (running.comment, het.comment) == ("cfslurm:run=lab-1,job=eval", "")
    assert (odd.used_s, odd.time_limit_s, odd.start_time, odd.name) == (0, None, None, "a|b c")


def test_line_break_in_a_foreign_job_name_breaks_no_row() -> None:
    text = "1|1|RUNNING|None|0:01|1:00|1|1|gpu|n1|(null)|evil\nname\n2|2|RUNNING|None|0:01|1:00|1|1|gpu|n1|(null)|b\n"
    assert [job.name for job in read_jobs(_done(text))] == ["evil\nname", "b"]


def test_unknown_id_is_an_answer() -> None:
    assert read_jobs(_done(code=1, error="slurm_load_jobs error: Invalid job id specified")) == ()


def test_row_with_other_columns_says_so() -> None:
    with pytest.raises(SlurmOutputError, match="columns"):
        read_jobs(_done("12 RUNNING\n"))


def test_silent_slurmctld_is_no_empty_queue() -> None:
    with pytest.raises(SlurmUnavailableError):
        read_jobs(
            _done(
                code=1,
                error="slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
            )
        )


@pytest.mark.parametrize(
    ("job_id", "tasks"),
    [
        ("12", 1),
        ("12_3", 1),
        ("12+1", 1),
        ("12_[4-9%2]", 6),
        ("12_[0,2-4,7]", 5),
        ("12_[0-9:3]", 4),
    ],
)
def test_a_row_of_an_array_stands_for_its_tasks(job_id: str, tasks: int) -> None:
    text = f"{job_id}|12|PENDING|Resources|0:00|10:00|N/A|1|gpu||(null)|a\n"
    assert read_jobs(_done(text))[0].tasks == tasks
