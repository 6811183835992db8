"""What cfslurm reads and writes of Slurm's language, against scontrol itself as the judge."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.hostlist import expand, fold
from cfslurm.core.slurm.scontrol_partitions import read_partitions
from cfslurm.core.slurm.tres import read_tres
from cfslurm.core.slurm.units import time_limit
from tests.slurm.conftest import Slurm

# Each example is one call of scontrol, for many hostlists.
_BATCHES = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_PREFIX = st.from_regex(r"[a-z]{1,3}-?", fullmatch=True)
_RANGE = st.builds(
    lambda first, more, width: (
        f"{first:0{width}}" if not more else f"{first:0{width}}-{first + more:0{width}}"
    ),
    st.integers(0, 1200), st.integers(0, 15), st.integers(1, 5),
)  # fmt: skip
_LIST = st.builds(
    lambda prefix, ranges: f"{prefix}[{','.join(ranges)}]",
    _PREFIX, st.lists(_RANGE, min_size=1, max_size=4),
)  # fmt: skip
_NAME = st.from_regex(r"[a-z]{1,3}-?[0-9]{0,4}", fullmatch=True)
_ENTRY = st.one_of(
    _LIST, _NAME, st.builds(lambda one, two: one + two.replace("-[", "["), _LIST, _LIST)
)


def _scontrol(slurm: Slurm, *words: str) -> str:
    done = slurm.run("scontrol", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@_BATCHES
@given(entries=st.lists(_ENTRY, min_size=20, max_size=60))
def test_expand_says_what_scontrol_says(slurm: Slurm, entries: list[str]) -> None:
    hostlist = ",".join(entries)
    assert list(expand(hostlist)) == _scontrol(slurm, "show", "hostnames", hostlist).split()


@_BATCHES
@given(names=st.lists(_NAME, min_size=1, max_size=60))
def test_scontrol_reads_what_fold_writes(slurm: Slurm, names: list[str]) -> None:
    read = _scontrol(slurm, "show", "hostnames", fold(names)).split()
    assert sorted(read) == sorted(set(names))


@_BATCHES
@given(names=st.lists(_NAME, min_size=1, max_size=60))
def test_expand_reads_what_scontrol_folds(slurm: Slurm, names: list[str]) -> None:
    folded = _scontrol(slurm, "show", "hostlistsorted", ",".join(names)).strip()
    assert set(expand(folded)) == set(names)


@pytest.fixture
def minutes(slurm: Slurm) -> Iterator[dict[str, int]]:
    """Partitions with time limits of every size, by name; they go again."""
    chosen = random.Random(20_261_121)
    limits = {
        f"t{i}": chosen.choice([1, 59, 60, 61, 1439, 1440, 1441]) * chosen.randint(1, 90)
        for i in range(20)
    }
    for name, limit in limits.items():
        text = time_limit(limit * 60)
        _scontrol(slurm, "create", f"partitionname={name}", "nodes=cpu-1", f"maxtime={text}")
    try:
        yield limits
    finally:
        for name in limits:
            _scontrol(slurm, "delete", f"partitionname={name}")


def test_times_are_what_they_were_set_to(slurm: Slurm, minutes: dict[str, int]) -> None:
    """Written by `time_limit`, kept by slurmctld in minutes, printed, and read."""
    done = Completed(
        command=Command(argv=("scontrol",)),
        returncode=0,
        stdout=_scontrol(slurm, "-o", "show", "partitions"),
        stderr="",
    )
    read = {one.name: one.max_time_s for one in read_partitions(done) if one.name in minutes}
    assert read == {name: limit * 60 for name, limit in minutes.items()}


def test_memory_in_tres_is_what_was_asked_for(slurm: Slurm) -> None:
    """slurmctld prints 1536 MiB as 1.50G or 1536M, as it likes."""
    asked = [1, 512, 1023, 1024, 1025, 1536, 10_240, 99_999, 102_400, 131_072, 500_000]
    jobs = {}
    for mib in asked:
        # The last --mem counts; the fixture's own comes before.
        jobs[
            slurm.submit(
                "--hold", f"--mem={mib}M", "--gres=gpu:a100_80:2", "-w", "a100-1", script="true"
            )
        ] = mib
    try:
        rows = slurm.run(
            "squeue", "-h", f"--jobs={','.join(jobs)}", "--Format=JobID:0|,tres-alloc:0|"
        ).stdout
        read = {row.split("|")[0]: read_tres(row.split("|")[1]) for row in rows.splitlines()}
        assert {job: tres["mem"] for job, tres in read.items()} == jobs
    finally:
        slurm.run("scancel", *jobs)


def test_sizes_of_nodes_are_the_same_in_both_ways_of_saying_them(slurm: Slurm) -> None:
    """RealMemory in MiB beside ``mem=500G`` in CfgTRES of every node."""
    for line in _scontrol(slurm, "-o", "show", "nodes").splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        tres = read_tres(fields["CfgTRES"])
        assert tres["mem"] == int(fields["RealMemory"])
        assert tres["cpu"] == int(fields["CPUTot"])
