from __future__ import annotations

import pytest

from cfslurm.core.run.jobs import JobSummary
from cfslurm.core.run.logs import log_names

JOBS = (
    JobSummary(key="eval", kind="array", entry="eval", name="", classes=(), components=(), tasks=3),
    JobSummary(
        key="eval.2", kind="array", entry="eval", name="", classes=(), components=(), tasks=2
    ),
    JobSummary(
        key="agents",
        kind="hetjob",
        entry="agents",
        name="",
        classes=(),
        components=("a", "b"),
        tasks=1,
    ),
)
MANIFEST = {
    "arrays": {
        "eval": {
            "parts": {
                "eval": {"first": 0, "count": 6, "pack": 2},
                "eval.2": {"first": 6, "count": 4, "pack": 3},
            }
        }
    }
}


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("eval/0", ("eval-0.log",)),
        ("eval/5", ("eval-2.log",)),
        ("eval/6", ("eval.2-0.log",)),
        ("eval/9", ("eval.2-1.log",)),
        ("agents/b", ("agents.b.log",)),
        ("eval.2", ("eval.2.log", "eval.2[-.]*.log")),
        ("eval/10", None),
        ("eval/x", None),
        ("agents/c", None),
        ("other", None),
    ],
)
def test_part_names_its_logs(part: str, names: tuple[str, ...] | None) -> None:
    assert log_names(part, JOBS, MANIFEST) == names  # type: ignore[arg-type]
