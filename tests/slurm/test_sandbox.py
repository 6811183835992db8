"""The sandbox: a real Slurm that behaves, stays apart, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter

from cfslurm.adapters.clock import SystemClock
from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.profile_file import load_profile
from cfslurm.adapters.validated import validate
from cfslurm.adapters.yaml_file import read_yaml
from cfslurm.cli.main import main
from cfslurm.core.site.model import Site
from cfslurm.errors import SetupError, UserInputError
from cfslurm.sandbox import ports, processes
from cfslurm.sandbox.down import down, own_processes
from cfslurm.sandbox.state import DAEMON_MARK, State, read_state, write_state
from cfslurm.sandbox.up import Request, up

Lab = Any  # tests/slurm/conftest.py::Slurm; no test imports another test file
Wait = Callable[..., Any]
Start = Callable[..., Lab]

_CLI = "from cfslurm.cli.main import run; run()"


# --- what the profile says is what Slurm has


def test_all_nodes_are_idle_after_up(slurm: Lab) -> None:
    seen = slurm.run("sinfo", "-h", "-N", "-o", "%N=%T").stdout.split()
    assert sorted(set(seen)) == [
        "a100-1=idle", "ada-1=idle", "ada-2=idle", "cpu-1=idle", "cpu-2=idle", "rtx4090-1=idle",
    ]  # fmt: skip


def test_nodes_have_the_gpus_of_the_profile(slurm: Lab) -> None:
    seen = slurm.run("sinfo", "-h", "-N", "-p", "preempt", "-o", "%N %G %c %m").stdout
    assert sorted(seen.splitlines()) == [
        "a100-1 gpu:a100_80:4 64 512000",
        "ada-1 gpu:rtx6000ada:2 48 384000",
        "ada-2 gpu:rtx6000ada:2 48 384000",
        "cpu-1 (null) 32 128000",
        "cpu-2 (null) 32 128000",
        "rtx4090-1 gpu:rtx4090:8 64 256000",
    ]


def test_nodes_have_the_features_of_the_profile(slurm: Lab) -> None:
    seen = slurm.run("sinfo", "-h", "-N", "-p", "preempt", "-o", "%N %f").stdout
    assert set(seen.splitlines()) >= {
        "a100-1 a100_80,vram80,nvlink",
        "ada-1 rtx6000ada,vram48",
        "rtx4090-1 rtx4090,vram24",
    }


def test_partitions_have_their_tiers(slurm: Lab) -> None:
    text = slurm.run("scontrol", "-o", "show", "partitions").stdout
    rows = {}
    for line in text.splitlines():
        record = dict(word.split("=", 1) for word in line.split() if "=" in word)
        rows[record["PartitionName"]] = (
            record["Default"], record["PriorityTier"], record["PreemptMode"], record["GraceTime"],
        )  # fmt: skip
    assert rows == {
        "gpu": ("YES", "10", "OFF", "0"),
        "cpu": ("NO", "5", "OFF", "0"),
        "preempt": ("NO", "1", "REQUEUE", "5"),
    }


def test_switches_form_the_tree_of_the_profile(slurm: Lab) -> None:
    seen = slurm.run("scontrol", "show", "topology").stdout
    # topology.yaml, which a sandbox of 25.05 and later has, knows no speed: 0.
    assert re.search(
        r"^SwitchName=leaf-fast Level=0 LinkSpeed=[01] Nodes=a100-1", seen, re.MULTILINE
    )
    assert "SwitchName=spine Level=1" in seen
    assert "Switches=leaf-fast,leaf-room" in seen


def test_nvlinks_can_be_read_on_the_node(slurm: Lab) -> None:
    done = slurm.run("/usr/sbin/slurmd", "-N", "a100-1", "-G")
    assert "Links=-1,4,4,4" in done.stdout + done.stderr


def test_site_config_is_valid_and_in_scale(slurm: Lab) -> None:
    document = read_yaml(Path(slurm.env["CFSLURM_SITE"]).read_bytes(), "site.yaml")
    site = TypeAdapter(Site).validate_json(json.dumps(document.data))
    assert validate(Site, document) == site
    assert {name: gpu.memory_mib for name, gpu in site.gpu_types.items()} == {
        "a100_80": 80, "rtx4090": 24, "rtx6000ada": 48,
    }  # fmt: skip
    assert Path(site.storage.runs).is_dir()
    assert Path(site.storage.model_cache.path).is_dir()


# --- jobs see pretend GPUs


def test_srun_sets_cuda_visible_devices(slurm: Lab) -> None:
    done = slurm.run("srun", "--mem=10", "--gres=gpu:a100_80:2", "printenv", "CUDA_VISIBLE_DEVICES")
    assert done.stdout == "0,1\n"


def test_job_without_gpus_sees_none(slurm: Lab) -> None:
    done = slurm.run("srun", "--mem=10", "bash", "-c", "echo ${CUDA_VISIBLE_DEVICES-unset}")
    assert done.stdout == "unset\n"


def test_batch_script_sees_its_gpus(slurm: Lab, eventually: Wait, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = 'echo "$CUDA_VISIBLE_DEVICES $SLURM_JOB_GPUS $SLURM_GPUS_ON_NODE"'
    slurm.submit("--gres=gpu:rtx4090:3", f"--output={out}", script=script)
    assert eventually(lambda: out.exists() and out.read_text()) == "0,1,2 0,1,2 3\n"


def test_array_tasks_of_one_node_see_different_gpus(
    slurm: Lab, eventually: Wait, tmp_path: Path
) -> None:
    script = f"echo $CUDA_VISIBLE_DEVICES > {tmp_path}/$SLURM_ARRAY_TASK_ID; sleep 60"
    job = slurm.submit("--array=0-3", "--gres=gpu:a100_80:1", "--output=/dev/null", script=script)
    eventually(lambda: len([f for f in tmp_path.iterdir() if f.read_text()]) == 4)
    slurm.run("scancel", job)
    assert sorted(f.read_text() for f in tmp_path.iterdir()) == ["0\n", "1\n", "2\n", "3\n"]


def test_one_array_spreads_over_gpu_types(slurm: Lab, eventually: Wait, tmp_path: Path) -> None:
    script = f"touch {tmp_path}/$SLURMD_NODENAME.$SLURM_ARRAY_TASK_ID; sleep 60"
    job = slurm.submit(
        "--array=0-11", "--gres=gpu:1", "--constraint=a100_80|rtx4090", "--output=/dev/null",
        script=script,
    )  # fmt: skip
    eventually(lambda: len(list(tmp_path.iterdir())) == 12)
    slurm.run("scancel", job)
    assert len(list(tmp_path.glob("a100-1.*"))) == 4
    assert len(list(tmp_path.glob("rtx4090-1.*"))) == 8


def test_components_of_a_het_job_see_their_own_gpus(
    slurm: Lab, eventually: Wait, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    script = "srun --het-group=0,1 bash -c 'echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES'"
    slurm.submit(
        f"--output={out}", "--gres=gpu:rtx4090:2", ":", "--mem=10", "--gres=gpu:a100_80:1",
        script=script,
    )  # fmt: skip
    eventually(lambda: out.exists() and out.read_text().count("\n") == 2)
    assert sorted(out.read_text().splitlines()) == ["a100-1 0", "rtx4090-1 0,1"]


# --- jobs go back to the queue


def test_higher_tier_preempts_and_the_job_is_told_and_requeued(
    slurm: Lab, eventually: Wait, tmp_path: Path
) -> None:
    script = (
        f"trap 'echo told >> {tmp_path}/log' USR1\n"
        f"echo start > {tmp_path}/log; sleep 60 &\nwait; wait"
    )
    low = slurm.submit(
        "--partition=preempt", "--gres=gpu:a100_80:4", "--signal=B:USR1@10",
        "--output=/dev/null", script=script,
    )  # fmt: skip
    eventually((tmp_path / "log").exists)
    high = slurm.submit(
        "--partition=gpu", "--gres=gpu:a100_80:4", "--output=/dev/null", script="true"
    )
    eventually(lambda: slurm.job_state(high) == "COMPLETED")
    assert "told" in (tmp_path / "log").read_text()
    eventually(lambda: slurm.job(low)["Restarts"] == "1")
    slurm.run("scancel", low)


def test_exit_75_requeues(slurm: Lab, eventually: Wait) -> None:
    job = slurm.submit("--output=/dev/null", script='[ "$SLURM_RESTART_COUNT" ] || exit 75')
    eventually(lambda: slurm.job(job)["Restarts"] == "1")
    _start_at_once(slurm, job)
    eventually(lambda: slurm.job_state(job) == "COMPLETED")


def _start_at_once(slurm: Lab, job: str) -> None:
    """A requeued job waits until its credential has expired; this spares 4 of the 6 s.

    Its new credential must not be of the second in which the old one was revoked.
    """
    assert slurm.run("scontrol", "update", f"jobid={job}", "starttime=now+2").returncode == 0


def test_requeued_het_job_restarts_on_an_idle_cluster(slurm: Lab, eventually: Wait) -> None:
    job = slurm.submit(
        "--output=/dev/null", "-n1", ":", "-n1", "--mem=10",
        script='[ "$SLURM_RESTART_COUNT" ] || exit 75',
    )  # fmt: skip
    eventually(lambda: slurm.job(job)["Restarts"] == "1", 25.0)
    eventually(lambda: slurm.job_state(job) == "COMPLETED", 25.0)


def test_failed_node_is_down_its_jobs_requeued_and_recover_brings_it_back(
    slurm: Lab, eventually: Wait
) -> None:
    array = slurm.submit(
        "--nodelist=ada-1", "--array=0-9", "--output=/dev/null",
        script='[ "$SLURM_RESTART_COUNT" ] || sleep 60',
    )  # fmt: skip
    tasks = [f"{array}_{task}" for task in range(10)]
    eventually(lambda: {slurm.job_state(task) for task in tasks} == {"RUNNING"})
    slurm.fail("ada-1")
    assert slurm.node_state("ada-1") == "down"
    eventually(lambda: {slurm.job(task)["Restarts"] for task in tasks} == {"1"})
    assert {slurm.job_state(task) for task in tasks} == {"PENDING"}
    slurm.recover("ada-1")
    assert slurm.node_state("ada-1") == "idle"
    _start_at_once(slurm, array)
    eventually(lambda: {slurm.job_state(task) for task in tasks} == {"COMPLETED"})


def test_failed_node_leaves_no_process_of_its_jobs(slurm: Lab, eventually: Wait) -> None:
    slurm.submit(
        "--nodelist=ada-2", "--no-requeue", "--output=/dev/null",
        script="setsid sleep 600 & disown; sleep 600",
    )  # fmt: skip
    eventually(lambda: len(own_processes(slurm.state, node="ada-2")) >= 4)
    assert "slurmstepd" in _at_work_in(slurm.path / "spool/ada-2")
    slurm.fail("ada-2")
    assert own_processes(slurm.state, node="ada-2") == set()
    assert _at_work_in(slurm.path / "spool/ada-2") == []
    slurm.recover("ada-2")


def test_fail_of_an_unknown_node_names_the_nearest(slurm: Lab) -> None:
    with pytest.raises(UserInputError, match="no node 'ada-3'") as caught:
        slurm.fail("ada-3")
    assert "ada-" in caught.value.remedy


def test_recover_of_a_healthy_node_does_nothing(slurm: Lab) -> None:
    before = slurm.node_state("cpu-1"), read_state(slurm.path)
    slurm.recover("cpu-1")
    assert (slurm.node_state("cpu-1"), read_state(slurm.path)) == before


# --- apart from everything else


def test_two_sandboxes_do_not_disturb_each_other(
    slurm: Lab, start_slurm: Start, eventually: Wait
) -> None:
    other = start_slurm("other")
    assert set(slurm.state.node_ports.values()).isdisjoint(other.state.node_ports.values())
    job = other.submit("--job-name=others", "--gres=gpu:2", "--output=/dev/null", script="sleep 60")
    eventually(lambda: other.job_state(job) == "RUNNING")
    assert slurm.run("sinfo", "-h", "-N", "-n", "gpu-1").stdout == ""
    assert slurm.run("squeue", "-h", "-n", "others").stdout == ""
    down(other.path, environment=read_environment(), clock=SystemClock())
    assert slurm.node_state("cpu-1") == "idle"


def test_sandboxes_started_at_the_same_moment_get_different_ports() -> None:
    with ports.reserved(20) as first, ports.reserved(20) as second:
        assert set(first).isdisjoint(second)


def test_daemon_can_listen_on_a_reserved_port_and_a_stranger_cannot_reserve_it() -> None:
    with ports.reserved(1) as (port,), socket.socket() as daemon:
        daemon.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        daemon.bind(("127.0.0.1", port))
        daemon.listen()
        with (
            pytest.raises(SetupError, match="0 of the 1 ports"),
            ports.reserved(1, candidates=range(port, port + 1)),
        ):
            pass


def test_taken_port_is_passed_over() -> None:
    with ports.reserved(1) as (taken,), ports.reserved(
        1, candidates=range(taken, taken + 2)
    ) as (other,):  # fmt: skip
        assert other == taken + 1


def test_slurm_conf_of_the_environment_is_neither_read_nor_changed(
    start_slurm: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "foreign.conf"
    foreign.write_text("ThisIsNoKey=1\n")
    before = foreign.stat()
    monkeypatch.setenv("SLURM_CONF", str(foreign))
    monkeypatch.setenv("SLURM_CLUSTERS", "elsewhere")
    one = start_slurm("mine")
    one.recover("gpu-1")
    assert one.node_state("gpu-1") == "idle"
    after = foreign.stat()
    assert (after.st_mtime_ns, after.st_atime_ns) == (before.st_mtime_ns, before.st_atime_ns)


# --- leaves nothing behind


def _at_work_in(folder: Path) -> list[str]:
    """Whatever runs in a folder, deleted or not, by the kernel's word alone."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str((process / "cwd").readlink()).startswith(str(folder)):
                found.append((process / "comm").read_text().strip())
    return sorted(found)


def _end(one: Lab) -> None:
    down(one.path, environment=read_environment(), clock=SystemClock())


def test_down_leaves_no_process_and_no_file(
    start_slurm: Start, eventually: Wait, tmp_path: Path
) -> None:
    one = start_slurm("new/parents/one")
    one.submit("--output=/dev/null", script="setsid sleep 611 & disown; trap '' TERM; sleep 612")
    eventually(lambda: one.run("pgrep", "-f", "sleep 61[12]").stdout.count("\n") >= 2)
    assert {"slurmstepd", "slurmd", "slurmctld", "munged", "sleep"} <= set(_at_work_in(one.path))
    _end(one)
    assert _at_work_in(tmp_path) == []
    assert one.run("pgrep", "-f", "sleep 61[12]", cwd=tmp_path).stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_down_twice_is_fine(start_slurm: Start) -> None:
    one = start_slurm("one")
    _end(one)
    _end(one)


def test_down_works_after_slurmctld_was_killed(start_slurm: Start, tmp_path: Path) -> None:
    one = start_slurm("one")
    controller = next(d for d in one.state.daemons if d.program == "slurmctld")
    os.kill(controller.process.pid, signal.SIGKILL)
    _end(one)
    assert own_processes(one.state) == set()
    assert list(tmp_path.iterdir()) == []


def test_down_ends_daemons_that_nobody_wrote_down(start_slurm: Start, tmp_path: Path) -> None:
    """`up` was killed between the start of a daemon and the next write of sandbox.json."""
    one = start_slurm("one")
    document = json.loads((one.path / "sandbox.json").read_text())
    document.update(daemons=[], phase="starting")
    (one.path / "sandbox.json").write_text(json.dumps(document))
    _end(one)
    assert own_processes(one.state) == set()
    assert list(tmp_path.iterdir()) == []


def test_down_leaves_a_shell_of_the_user_alone(start_slurm: Start) -> None:
    one = start_slurm("one")
    editor = subprocess.Popen(["sleep", "60"], env=dict(one.env))
    _end(one)
    assert editor.poll() is None
    editor.kill()
    editor.wait()


def test_down_ends_no_process_that_has_got_a_daemons_number(start_slurm: Start) -> None:
    one = start_slurm("one")
    stranger = subprocess.Popen(["sleep", "60"])
    document = json.loads((one.path / "sandbox.json").read_text())
    document["daemons"][0]["process"] = {"pid": stranger.pid, "start_ticks": 1}
    (one.path / "sandbox.json").write_text(json.dumps(document))
    _end(one)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_down_deletes_nothing_that_a_link_points_to(start_slurm: Start, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").write_text("text")
    one = start_slurm("one")
    (one.path / "runs" / "link").symlink_to(precious)
    (one.path / "link").symlink_to(precious)
    _end(one)
    assert (precious / "thesis").read_text() == "text"


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_down_refuses_what_is_no_sandbox(kind: str, tmp_path: Path) -> None:
    target, place = tmp_path / "target", tmp_path / "place"
    target.mkdir()
    (target / "thesis").write_text("text")
    if kind == "folder":
        place = target
    elif kind == "link":
        place.symlink_to(target)
    else:
        place.write_text("text")
    with pytest.raises(UserInputError, match="is not a sandbox"):
        down(place, environment=read_environment(), clock=SystemClock())
    assert (target / "thesis").exists()


def test_sandbox_of_another_host_is_left_alone(start_slurm: Start) -> None:
    one = start_slurm("one")
    document = json.loads((one.path / "sandbox.json").read_text())
    (one.path / "sandbox.json").write_text(json.dumps({**document, "host": "login7"}))
    with pytest.raises(SetupError, match="on the host login7"):
        _end(one)
    (one.path / "sandbox.json").write_text(json.dumps(document))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_sandbox_of_another_user_is_left_alone_by_root_too(start_slurm: Start) -> None:
    one = start_slurm("one")
    os.chown(one.path, 65534, 65534)
    with pytest.raises(SetupError, match="belongs to"):
        _end(one)
    with pytest.raises(SetupError, match="belongs to"):
        one.fail("gpu-1")
    os.chown(one.path, 0, 0)


# --- up


def _up(folder: Path, **more: Any) -> Any:
    request = Request(name="test", folder=folder, profile=load_profile("tiny"), **more)
    heard: list[str] = []
    environment = read_environment()
    return up(request, environment=environment, clock=SystemClock(), tell=heard.append), heard


def test_up_on_a_running_sandbox_changes_nothing(start_slurm: Start) -> None:
    one = start_slurm("one")
    done, _ = _up(one.path)
    assert done.already
    assert done.state == one.state


def test_up_after_a_restart_of_the_machine_starts_afresh(start_slurm: Start) -> None:
    one = start_slurm("one")
    processes.kill(own_processes(one.state))
    write_state(_replaced(one.state, boot_id="another"))
    done, heard = _up(one.path)
    assert not done.already
    assert heard[0] == "the last sandbox here ended without `down`; starting afresh"
    assert processes.with_variables({DAEMON_MARK: one.state.mark}) == set()
    assert len(_at_work_in(one.path)) == len(own_processes(done.state)) > 0


def _replaced(state: State, **changes: str) -> State:
    return TypeAdapter(State).validate_json(
        json.dumps({**json.loads((state.layout.folder / "sandbox.json").read_text()), **changes})
    )


def test_up_on_a_sandbox_in_part_says_what_to_do(start_slurm: Start) -> None:
    one = start_slurm("one")
    controller = next(d for d in one.state.daemons if d.program == "slurmctld").process
    processes.kill([controller])
    processes.wait_until_gone([controller], clock=SystemClock(), within_s=10)
    with pytest.raises(SetupError, match="only in part: slurmctld ended") as caught:
        _up(one.path)
    assert "cfslurm sandbox down" in caught.value.remedy


def test_failed_up_ends_what_it_started_and_shows_the_log(
    slurm_programs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_slurmctld(tmp_path, monkeypatch)
    with pytest.raises(SetupError, match=r"(?s)slurmctld ended at once.*the dog ate it"):
        _up(tmp_path / "box")
    assert _at_work_in(tmp_path) == []
    assert not (tmp_path / "box").exists()


def test_failed_up_keeps_the_logs_on_request(
    slurm_programs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_slurmctld(tmp_path, monkeypatch)
    with pytest.raises(SetupError):
        _up(tmp_path / "box", keep=True)
    assert "the dog ate it" in (tmp_path / "box/log/slurmctld.out").read_text()
    down(tmp_path / "box", environment=read_environment(), clock=SystemClock())
    assert not (tmp_path / "box").exists()


def _break_slurmctld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    _fake(
        programs / "slurmctld",
        'if [ "$1" = -V ]; then echo slurm 22.05.8; else echo the dog ate it; exit 1; fi',
    )
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def _fake(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def _stuck_up(tmp_path: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """An `up` that waits for a slurmctld that never answers, and its folder."""
    programs = tmp_path / "bin"
    programs.mkdir()
    _fake(programs / "slurmctld", 'if [ "$1" = -V ]; then echo slurm 22.05.8; else sleep 615; fi')
    box = tmp_path / "box"
    caller = subprocess.Popen(
        [sys.executable, "-c", _CLI, "sandbox", "up", "--profile", "tiny", "--dir", str(box)],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}, stderr=subprocess.PIPE,
    )  # fmt: skip
    return caller, box


def test_up_that_was_killed_in_the_middle_can_be_ended(
    slurm_programs: None, tmp_path: Path, eventually: Wait
) -> None:
    caller, box = _stuck_up(tmp_path)
    eventually(lambda: len(_at_work_in(box)) >= 3)  # munged, slurmctld, its sleep
    caller.kill()
    caller.communicate()
    assert _cfslurm("sandbox", "status", "--dir", str(box)).exit_code == 1
    assert _cfslurm("sandbox", "down", "--dir", str(box)).stdout == "down; nothing is left\n"
    assert _at_work_in(tmp_path) == []
    assert not box.exists()


def test_interrupted_up_is_undone(slurm_programs: None, tmp_path: Path, eventually: Wait) -> None:
    caller, box = _stuck_up(tmp_path)
    eventually(lambda: len(_at_work_in(box)) >= 3)
    caller.send_signal(signal.SIGINT)
    _, said = caller.communicate()
    assert caller.returncode == 130, said
    assert _at_work_in(tmp_path) == []
    assert not box.exists()


def test_two_ups_of_one_sandbox_at_once_make_one(slurm_programs: None, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _CLI, "sandbox", "up", "--profile", "tiny", "--dir"]
    box = tmp_path / "box"
    callers = [
        subprocess.Popen([*argv, str(box)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    ends = [(caller.communicate()[1], caller.returncode) for caller in callers]
    state = read_state(box)
    assert state is not None
    assert len(_at_work_in(box)) == len(own_processes(state))
    assert 0 in [code for _, code in ends]
    assert all(code == 0 or b"another cfslurm is working" in said for said, code in ends)
    down(box, environment=read_environment(), clock=SystemClock())


def test_up_refuses_a_folder_with_something_else_in_it(
    slurm_programs: None, tmp_path: Path
) -> None:
    (tmp_path / "thesis").write_text("text")
    with pytest.raises(UserInputError, match="is not a sandbox"):
        _up(tmp_path)


def test_long_path_with_blanks_works_and_leaves_nothing(
    start_slurm: Start, eventually: Wait, tmp_path: Path
) -> None:
    one = start_slurm(f'it\'s a "long" path, # of it = {"x" * 90}')
    out = one.path / "runs" / "out"
    one.submit("--gres=gpu:1", "--output=out", script="srun printenv CUDA_VISIBLE_DEVICES")
    assert eventually(lambda: out.exists() and out.read_text()) == "0\n"
    short = Path(one.state.prefix).parent
    assert short.is_dir()
    _end(one)
    assert not short.exists()
    assert list(tmp_path.iterdir()) == []


# --- the command line


def _cfslurm(*argv: str) -> Result:
    """As the console script does it, in this process."""
    import click

    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def run(words: tuple[str, ...]) -> None:
        sys.exit(main(words))

    return CliRunner().invoke(run, argv)


def test_up_takes_the_plugins_of_a_plugstack(slurm_programs: None, tmp_path: Path) -> None:
    plugins = tmp_path / "plugstack.conf"
    plugins.write_text("# none yet\n")
    box = ("--dir", str(tmp_path / "box"))
    started = _cfslurm("sandbox", "up", "--profile=tiny", f"--plugstack={plugins}", "--json", *box)
    try:
        facts = json.loads(started.stdout)["sandbox"]
        assert facts["plugstack"] == str(plugins)
        plugins.write_text("required /nowhere/no-such-plugin.so\n")
        done = subprocess.run(
            ["srun", "--mem=10", "true"], env={**os.environ, **facts["environment"]},
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode != 0
        assert "plugin" in done.stderr
    finally:
        _cfslurm("sandbox", "down", *box)
    assert plugins.exists()


def test_up_refuses_a_plugstack_that_slurm_could_not_read(tmp_path: Path) -> None:
    missing = _cfslurm("sandbox", "up", f"--plugstack={tmp_path / 'none'}", f"--dir={tmp_path}/b")
    assert (missing.exit_code, missing.stderr[:23]) == (2, "error: there is no file")
    odd = tmp_path / "a b.conf"
    odd.write_text("")
    refused = _cfslurm("sandbox", "up", f"--plugstack={odd}", f"--dir={tmp_path}/b")
    assert refused.exit_code == 2
    assert "slurm.conf cannot carry the path" in refused.stderr
    assert not (tmp_path / "b").exists()


def test_command_line_from_up_to_down(slurm_programs: None, tmp_path: Path) -> None:
    box = ("--dir", str(tmp_path / "box"))
    started = _cfslurm("sandbox", "up", "--profile", "tiny", "--json", *box)
    assert started.exit_code == 0, started.output
    facts = json.loads(started.stdout)
    assert facts["meta"]["schema"] == "cfslurm.sandbox/1"
    assert facts["already_up"] is False
    again = _cfslurm("sandbox", "up", *box)
    assert (again.exit_code, again.stdout[:10]) == (0, "already up")
    seen = json.loads(_cfslurm("sandbox", "status", "--json", *box).stdout)
    assert [node["name"] for node in seen["nodes"]] == ["cpu-1", "gpu-1"]
    assert all(one["runs"] for one in seen["daemons"])
    exports = _cfslurm("sandbox", "env", *box).stdout
    assert (
        exports.splitlines()[0]
        == f"export SLURM_CONF={facts['sandbox']['environment']['SLURM_CONF']}"
    )
    assert _cfslurm("sandbox", "env", "--unset", *box).stdout == "unset SLURM_CONF CFSLURM_SITE\n"
    assert _cfslurm("sandbox", "fail", "gpu-1", *box).stdout == "gpu-1 down\n"
    assert "gpu-1  down" in _cfslurm("sandbox", "status", *box).stdout
    assert _cfslurm("sandbox", "recover", "gpu-1", *box).stdout == "gpu-1 idle\n"
    assert _cfslurm("sandbox", "down", *box).stdout == "down; nothing is left\n"
    missing = _cfslurm("sandbox", "status", *box)
    assert missing.exit_code == 69
    assert f"cfslurm sandbox up --dir {tmp_path / 'box'}" in missing.stderr


def test_shell_runs_a_command_there_and_returns_its_exit_code(slurm: Lab) -> None:
    argv = [sys.executable, "-c", _CLI, "sandbox", "shell"]
    script = 'scontrol show config | grep "^ClusterName"; echo "$CFSLURM_SITE"; exit 7'
    done = subprocess.run(
        [*argv, "--dir", str(slurm.path), "sh", "-c", script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert done.stdout.split() == ["ClusterName", "=", "sandbox", slurm.env["CFSLURM_SITE"]]


def test_missing_programs_exit_69_and_say_how_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    done = _cfslurm("sandbox", "up", "--dir", str(tmp_path / "box"))
    assert done.exit_code == 69
    assert "Slurm's programs are not installed: " in done.stderr
    assert "apt-get install -y slurmctld slurmd slurm-client munge" in done.stderr
    assert "dnf install -y slurm-slurmctld slurm-slurmd slurm munge" in done.stderr
    assert not (tmp_path / "box").exists()


def test_unknown_profile_exits_2_and_names_the_nearest(tmp_path: Path) -> None:
    done = _cfslurm("sandbox", "up", "--profile", "labb", "--dir", str(tmp_path / "box"))
    assert done.exit_code == 2
    assert "Did you mean lab?" in done.stderr


def test_bad_profile_exits_2_before_anything_is_made(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "name: mine\nnodes: [{names: n1, cpus: 0, real_memory_mib: 9}]\npartitions: []\n"
    )
    done = _cfslurm("sandbox", "up", "--profile", str(mine), "--dir", str(tmp_path / "box"))
    assert done.exit_code == 2
    assert f"{mine}:2:" in done.stderr
    assert "cpus is 0, not between 1 and 1024" in done.stderr
    assert "there is no partition" in done.stderr
    assert not (tmp_path / "box").exists()


def test_profile_of_ones_own_becomes_a_cluster(slurm_programs: None, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "name: mine\nnodes: [{names: h-1, cpus: 8, real_memory_mib: 9000,"
        " gpus: [{type: fast, count: 2, catalog: h100}]}]\npartitions: [{name: p, nodes: [h-1]}]\n"
    )
    box = str(tmp_path / "box")
    assert _cfslurm("sandbox", "up", "--profile", str(mine), "--dir", box).exit_code == 0
    seen = _cfslurm("sandbox", "status", "--dir", box).stdout
    assert "h-1   idle   2x fast" in seen
    _cfslurm("sandbox", "down", "--dir", box)


def test_impossible_name_exits_2() -> None:
    assert _cfslurm("sandbox", "up", "--name", "../../etc").exit_code == 2


# --- accounting


def test_accounting_has_two_accounts_and_keeps_jobs(
    accounting_programs: None, start_slurm: Start, eventually: Wait, tmp_path: Path
) -> None:
    one = start_slurm("one", accounting=True)
    me = read_environment().user
    seen = one.run("sacctmgr", "-nP", "show", "assoc", f"user={me}", "format=account,qos").stdout
    assert {"lab-a|high,normal", "lab-b|high,normal"} <= set(seen.splitlines())
    job = one.submit(
        "--account=lab-b", "--qos=high", "--gres=gpu:1", "--output=/dev/null", script="true"
    )
    row = ("sacct", "-nPX", f"--jobs={job}", "--format=account,qos,state,alloctres")
    # slurmdbd hears of the start, the QOS and the end one after the other.
    eventually(lambda: one.run(*row).stdout.startswith("lab-b|high|COMPLETED|"))
    assert "gres/gpu:rtx4090=1" in one.run(*row).stdout
    refused = one.run("sbatch", "--account=lab-c", "--mem=10", stdin="#!/bin/sh\ntrue\n")
    assert "Invalid account" in refused.stderr
    _end(one)
    assert list(tmp_path.iterdir()) == []
