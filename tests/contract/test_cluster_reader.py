"""What every `ClusterReader` must say of a real cluster: whole, split, shared, untyped and mixed GPUs, a drained
node, a reservation, licences, running jobs and, where slurmdbd is installed, limits.

All backends read the same sandbox. pyslurm takes part wherever `import pyslurm` works for this Slurm.
"""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from cfslurm.adapters import process
from cfslurm.adapters.clock import utc_text
from cfslurm.adapters.profile_file import load_profile
from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.classes import node_classes
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SetupError
from cfslurm.sandbox.programs import ACCOUNTING, SLURM, find_programs
from cfslurm.wiring.readers import cluster_reader
from tests.builders import CATALOGUE
from tests.slurm.conftest import Slurm, start, stop

pytestmark = pytest.mark.slurm

BACKENDS = ["text", "json", "pyslurm"]
USER = getpass.getuser()


def _installed(programs: tuple[str, ...], *, accounting: bool) -> str:
    """Why these programs cannot be used; empty if they can."""
    try:
        find_programs(accounting=accounting)
    except SetupError as error:
        return f"{error.message} (needed: {', '.join(programs)})"
    return ""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """The `kinds` cluster, with everything in it that a reader must see."""
    if reason := _installed(SLURM, accounting=False):
        pytest.skip(reason)
    with_accounting = not _installed(ACCOUNTING, accounting=True)
    folder = tmp_path_factory.mktemp("c") / "kinds"
    try:
        slurm = start(folder, profile="kinds", accounting=with_accounting)
        _furnish(slurm, with_accounting=with_accounting)
        yield slurm
    finally:
        stop(folder)


def _must(slurm: Slurm, *argv: str) -> str:
    done = slurm.run(*argv)
    assert done.returncode == 0, f"{argv}: {done.stderr or done.stdout}"
    return done.stdout


def _furnish(slurm: Slurm, *, with_accounting: bool) -> None:
    conf = slurm.path / "slurm.conf"
    conf.write_text(conf.read_text() + "\nLicenses=datamover:4,matlab:10\n")
    _must(slurm, "scontrol", "reconfigure")
    _wait(lambda: "matlab" in slurm.run("scontrol", "show", "licenses").stdout)
    if with_accounting:
        for words in (
            ("modify", "qos", "normal", "set", "MaxTRESPU=gres/gpu=40", "MaxSubmitJobsPU=100", "MaxWall=2-00:00:00"),
            ("modify", "account", "lab-a", "set", "GrpTRES=cpu=500", "GrpJobs=50", "fairshare=3"),
            ("modify", "user", USER, "where", "account=lab-a", "set", "MaxJobs=20"),
        ):  # fmt: skip
            _must(slurm, "sacctmgr", "-i", *words)
    _must(slurm, "scontrol", "update", "nodename=plain-1", "state=drain", "reason=fan is loud a=b")
    for name, node, flags in (("class", "mps-1", ""), ("repair", "amd-1", "maint,ignore_jobs")):
        words = [
            f"reservationname={name}",
            "starttime=now",
            "duration=60",
            f"nodes={node}",
            f"users={USER}",
        ]
        _must(
            slurm,
            "scontrol",
            "create",
            "reservation",
            *words,
            *([f"flags={flags}"] if flags else []),
        )
    for options in (
        ("--gres=gpu:h100:3", "-w", "hgx-1"),
        ("--gres=gpu:1g.10gb:2", "-w", "mig-1"),
        ("--gres=shard:4", "-w", "shard-1"),
        ("--gpus=2", "-w", "mixed-1"),
        ("--array=5", "--gres=gpu:h100:1", "-w", "hgx-2", "--licenses=datamover:1"),
    ):  # fmt: skip
        slurm.submit("-t", "30", *options, script="sleep 600")
    running = ("squeue", "-h", "-t", "R", "-o", "%i")
    _wait(lambda: len(slurm.run(*running).stdout.split()) == 5)
    # slurmctld marks the nodes of a reservation that has begun a moment later.
    _wait(lambda: "maint" in slurm.node_state("amd-1"))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not happen within 30 s"
        time.sleep(0.1)


def _graph(slurm: Slurm, backend: str) -> HardwareGraph:
    if backend == "pyslurm":
        probe = slurm.run(sys.executable, "-c", "import pyslurm; print(pyslurm.version())")
        if probe.returncode != 0:
            said = (probe.stderr.strip().splitlines() or ["no message"])[-1]
            pytest.skip(f"`import pyslurm` does not work here: {said}")

    def run(command: Command) -> Completed:
        return process.run(replace(command, environment={**slurm.env, **command.environment}))

    facts = cluster_reader(backend, run, user=USER).read()
    return build_graph(facts, CATALOGUE, {}, harvested_at=utc_text(time.time()))


@pytest.fixture(scope="module")
def graphs(cluster: Slurm) -> Callable[[str], HardwareGraph]:
    """The graph as a backend reads it; each backend reads once."""
    seen: dict[str, HardwareGraph] = {}

    def graph(backend: str) -> HardwareGraph:
        if backend not in seen:
            seen[backend] = _graph(cluster, backend)
        return seen[backend]

    return graph


@pytest.fixture(params=BACKENDS)
def graph(request: pytest.FixtureRequest, graphs: Callable[[str], HardwareGraph]) -> HardwareGraph:
    """The graph of each backend."""
    return graphs(request.param)


def test_every_backend_brings_the_graph_that_text_brings(
    graph: HardwareGraph, graphs: Callable[[str], HardwareGraph]
) -> None:
    text = graphs("text")
    same = replace(graph, backend="text", harvested_at=text.harvested_at)
    # pyslurm before 25.5 has no AllocTRES, so that 22.05's wrong number of shards in use stays.
    if graph.backend == "pyslurm":
        same = replace(same, nodes=tuple(replace(node, gres=()) for node in same.nodes))
        text = replace(text, nodes=tuple(replace(node, gres=()) for node in text.nodes))
    assert same == text
    assert node_classes(same) == node_classes(text)


def test_hardware_is_that_of_the_profile(graph: HardwareGraph) -> None:
    profile = {
        name: (group.cpus, group.sockets, group.real_memory_mib, group.weight, tuple(group.features))
        for group in load_profile("kinds").nodes
        for name in group.node_names
    }  # fmt: skip
    assert profile == {
        node.name: (node.cpus, node.sockets, node.real_memory_mib, node.weight, node.features)
        for node in graph.nodes
    }
    gpus = {(node.name, g.gpu_type, g.count) for node in graph.nodes for g in node.gpus}
    assert gpus == {
        ("hgx-1", "h100", 8), ("hgx-2", "h100", 8), ("mig-1", "a100_80", 2), ("mig-1", "1g.10gb", 7),
        ("mig-1", "3g.40gb", 2), ("shard-1", "l40s", 4), ("mps-1", "v100_32", 2), ("plain-1", "", 4),
        ("mixed-1", "rtx6000ada", 2), ("mixed-1", "t4", 1), ("amd-1", "mi300x", 8),
    }  # fmt: skip
    bound = {g.gpu_type: g.sockets for node in graph.nodes for g in node.gpus if g.sockets}
    assert bound["h100"] == (0, 1)


def test_what_is_in_use_is_never_called_free(graph: HardwareGraph) -> None:
    used = {
        (node.name, g.gpu_type): (g.used, g.shared)
        for node in graph.nodes
        for g in node.gpus
        if g.used
    }
    assert (
        used.pop(("mixed-1", "rtx6000ada"), (0, 0))[0] + used.pop(("mixed-1", "t4"), (0, 0))[0] == 2
    )
    assert used == {
        ("hgx-1", "h100"): (3, 0),
        ("hgx-2", "h100"): (1, 0),
        ("mig-1", "1g.10gb"): (2, 0),
        ("shard-1", "l40s"): (1, 1),
    }


def test_slurm_gives_as_many_gpus_as_are_called_free_and_no_more(
    graphs: Callable[[str], HardwareGraph], cluster: Slurm
) -> None:
    free = next(g.count - g.used for g in graphs("text").node("hgx-1").gpus)
    for ask, verdict in ((free + 1, "PENDING"), (free, "RUNNING")):
        job = cluster.submit(
            "-t", "30", f"--gres=gpu:h100:{ask}", "-w", "hgx-1", script="sleep 600"
        )
        time.sleep(2)  # bf_interval and sched_interval are 1 s
        assert cluster.job_state(job) == verdict
        cluster.run("scancel", job)
        _wait(lambda job=job: cluster.job_state(job) in ("CANCELLED", ""))  # type: ignore[misc]


def test_drained_and_reserved_nodes_take_no_jobs_and_say_why(graph: HardwareGraph) -> None:
    drained = graph.node("plain-1")
    assert "DRAIN" in drained.state_flags
    assert (drained.reason, drained.reason_user) == ("fan is loud a=b", USER)
    assert abs((drained.reason_time or 0) - time.time()) < 600
    assert graph.node("mps-1").reservations == ("class",)
    assert graph.node("amd-1").reservations == ("repair",)
    assert "MAINTENANCE" in graph.node("amd-1").state_flags
    open_nodes = {node.name for node in graph.nodes if node.takes_jobs}
    assert open_nodes == {"hgx-1", "hgx-2", "mig-1", "shard-1", "mixed-1"}
    assert [(one.name, one.users, one.is_maintenance) for one in graph.reservations] == [
        ("class", (USER,), False),
        ("repair", (USER,), True),
    ]
    assert all((r.end_time or 0) - (r.start_time or 0) == 3600 for r in graph.reservations)


def test_who_holds_what_until_when(graph: HardwareGraph) -> None:
    held = sorted((job.node_names[0], dict(job.gpus or {})) for job in graph.running)
    assert held[:2] == [("hgx-1", {"h100": 3}), ("hgx-2", {"h100": 1})]
    assert ("mig-1", {"1g.10gb": 2}) in held
    assert ("shard-1", {}) in held
    assert all(job.user == USER and job.state == "RUNNING" for job in graph.running)
    assert all(0 < (job.end_time or 0) - time.time() <= 1800 for job in graph.running)
    assert [job.job_id.partition("_")[2] for job in graph.running if "_" in job.job_id] == ["5"]


def test_licences_and_topology(graph: HardwareGraph) -> None:
    assert [(one.name, one.total, one.used, one.free) for one in graph.licenses] == [
        ("datamover", 4, 1, 3),
        ("matlab", 10, 0, 10),
    ]
    switches = {switch.name: (switch.level, switch.switches) for switch in graph.switches}
    assert switches["spine"] == (1, ("leaf-1", "leaf-2"))
    assert switches["leaf-1"][0] == 0


def test_limits_of_this_user(graph: HardwareGraph) -> None:
    if not graph.controller.has_accounting:
        pytest.skip("slurmdbd or MariaDB is not installed")
    normal = next(one for one in graph.qos if one.name == "normal")
    assert (normal.max_tres_per_user, normal.max_submit_per_user) == ({"gres/gpu": 40}, 100)
    assert normal.max_wall_s == 2 * 86_400
    rows = {(one.account, one.user): one for one in graph.associations}
    assert rows["lab-a", ""].group_tres == {"cpu": 500}
    assert (rows["lab-a", ""].group_jobs, rows["lab-a", USER].max_jobs) == (50, 20)
    assert "lab-a" in {share.account for share in graph.shares}


def test_nothing_was_left_unread(graph: HardwareGraph) -> None:
    assert [node.unread for node in graph.nodes if node.unread] == []
    assert [one for one in graph.warnings if "unknown:" in one] == []


def test_import_of_pyslurm_that_ends_its_process_ends_nothing_else(
    cluster: Slurm, tmp_path_factory: pytest.TempPathFactory
) -> None:
    module = tmp_path_factory.mktemp("p") / "pyslurm.py"
    module.write_text(
        "import os, sys\nprint('fatal: no slurm.conf', file=sys.stderr)\nos._exit(1)\n"
    )

    def run(command: Command) -> Completed:
        extra = {**cluster.env, "PYTHONPATH": str(module.parent), **command.environment}
        return process.run(replace(command, environment=extra))

    with pytest.raises(SetupError, match="pyslurm cannot be used here: fatal: no slurm"):
        cluster_reader("pyslurm", run, user=USER).read()
