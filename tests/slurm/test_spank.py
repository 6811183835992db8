"""The SPANK plugin on a real Slurm: what users type, what their jobs find, and what must not happen."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cfslurm import __version__
from cfslurm.core.slurm.sbatch import EXPORTED
from tests.slurm.conftest import start, stop
from tests.slurm.spank_world import (
    AWQ,
    FULL,
    REPO,
    RUN,
    Other,
    World,
    build,
    read_environment,
    somebody_else,
    steady,
    world,
)  # fmt: skip

Wait = Callable[..., Any]
CHOOSE = (f"--cf-run={RUN}:eval", f"--cf-model={REPO}")
OPTIONS = ("--cf-model", "--cf-run", "--cf-session", "--cf-require-cached", "--cf-gpu-min-mem")
A100 = ("--gres=gpu:a100_80:1",)
RTX = ("--gres=gpu:rtx4090:1",)


@pytest.fixture(scope="module")
def spank(slurm_programs: None) -> Iterator[World]:
    with world() as one:
        yield one


@pytest.fixture(autouse=True)
def no_node_is_drained(spank: World) -> Iterator[None]:
    """Whatever a test does: the plugin's line is as it was, the run too, and all nodes take jobs."""
    spank.configure()
    spank.write_run()
    yield
    assert spank.drained() == []


@pytest.fixture(scope="module")
def other(spank: World) -> Other:
    return somebody_else()


def _only_line(text: str) -> str:
    """The plugin's one line among those of srun and slurmstepd."""
    lines = [line for line in text.splitlines() if "cfslurm" in line]
    assert len(lines) == 1, text
    return lines[0][lines[0].index("cfslurm: ") :]  # Slurm 26.05 puts the time in front


# --- options


@pytest.mark.parametrize("program", ["srun", "sbatch", "salloc"])
def test_help_has_the_options(spank: World, program: str) -> None:
    text = spank.slurm.run(program, "--help").stdout
    assert re.findall(r"^ +(--cf-[a-z-]+)\S*\s+\[cfslurm\]", text, re.MULTILINE) == list(OPTIONS)


def test_srun_gets_the_variant_of_its_node(spank: World) -> None:
    found = spank.environment(*A100, *CHOOSE)
    place = spank.models / "store" / "acme--tiny" / FULL
    ours = {n: v for n, v in found.items() if n.startswith("CFSLURM_") and n != "CFSLURM_SITE"}
    assert ours == {
        "CFSLURM_SPANK": __version__,
        "CFSLURM_RUN_ID": RUN,
        "CFSLURM_RUN_DIR": str(spank.run),
        "CFSLURM_NODE_CLASS": "a100_80-x4",
        "CFSLURM_MODEL_PATH": str(place),
        "CFSLURM_VARIANT": "acme/tiny@none",
        "CFSLURM_MODEL_REPO": REPO,
        "CFSLURM_MODEL_REVISION": FULL,
        "CFSLURM_QUANTIZATION": "none",
        "CFSLURM_TENSOR_PARALLEL_SIZE": "1",
        "CFSLURM_MAX_MODEL_LEN": "4096",
    }
    assert found["HF_HUB_OFFLINE"] == "1"


def test_equal_variables_do_the_same(spank: World) -> None:
    by_options = spank.environment(*A100, *CHOOSE, "--cf-session=line")
    by_variables = spank.environment(
        *A100, CFSLURM_OPT_RUN=f"{RUN}:eval", CFSLURM_OPT_MODEL=REPO, CFSLURM_OPT_SESSION="line"
    )
    names = {n for n in by_options if n.startswith(("CFSLURM_", "HF_")) and "_OPT_" not in n}
    assert "CFSLURM_SESSION" in names
    assert {n: by_options[n] for n in names} == {n: by_variables.get(n) for n in names}


def test_sbatch_takes_the_options_in_its_script(spank: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = spank.slurm.submit(
        f"--output={out}", *RTX,
        script=f"#!/bin/sh\n#SBATCH {CHOOSE[0]}\n#SBATCH {CHOOSE[1]}\n"
        "echo batch $CFSLURM_VARIANT\nsrun --mem=10 sh -c 'echo step $CFSLURM_VARIANT $CFSLURM_NODE_CLASS'\n",
    )  # fmt: skip
    spank.wait(job)
    assert out.read_text().splitlines() == [
        "batch acme/tiny-AWQ@awq",
        "step acme/tiny-AWQ@awq rtx4090-x8",
    ]


def test_salloc_hands_the_options_on_to_its_steps(spank: World) -> None:
    done = spank.slurm.run(
        "salloc", "--quiet", "--mem=10", *A100, *CHOOSE,
        "srun", "--mem=10", "sh", "-c", "echo $CFSLURM_VARIANT",
    )  # fmt: skip
    assert done.stdout == "acme/tiny@none\n", done.stderr


def test_two_nodes_have_two_variants_in_one_array(spank: World, tmp_path: Path) -> None:
    job = spank.slurm.submit(
        "--array=0-7", "--gres=gpu:4", "--partition=gpu", "--constraint=a100_80|rtx4090", *CHOOSE,
        f"--output={tmp_path}/%a",
        script="#!/bin/sh\nsleep 0.3\necho $SLURMD_NODENAME $CFSLURM_VARIANT $CFSLURM_MODEL_PATH",
    )  # fmt: skip
    spank.wait(job)
    store = spank.models / "store"
    assert {(tmp_path / str(task)).read_text().strip() for task in range(8)} == {
        f"a100-1 acme/tiny@none {store}/acme--tiny/{FULL}",
        f"rtx4090-1 acme/tiny-AWQ@awq {store}/acme--tiny-AWQ/{AWQ}",
    }


def test_components_of_a_het_job_each_get_their_own(spank: World, tmp_path: Path) -> None:
    """Slurm hands the leader's options to all components."""
    out = tmp_path / "out"
    job = spank.slurm.submit(
        f"--output={out}", *A100, *CHOOSE, ":", "--mem=10", *RTX,
        script="#!/bin/sh\nsrun --het-group=0,1 sh -c 'echo $SLURMD_NODENAME $CFSLURM_VARIANT'",
    )  # fmt: skip
    spank.wait(job)
    assert sorted(out.read_text().splitlines()) == [
        "a100-1 acme/tiny@none", "rtx4090-1 acme/tiny-AWQ@awq",
    ]  # fmt: skip


def test_nested_srun_may_choose_anew(spank: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = spank.slurm.submit(
        f"--output={out}", *A100, *CHOOSE, "--cf-session=outer",
        script="#!/bin/sh\necho $CFSLURM_SESSION\n"
        "srun --mem=10 --cf-session=inner sh -c 'echo $CFSLURM_SESSION $CFSLURM_VARIANT'",
    )  # fmt: skip
    spank.wait(job)
    assert out.read_text().splitlines() == ["outer", "inner acme/tiny@none"]


def test_export_none_keeps_the_options_of_srun(spank: World) -> None:
    assert spank.environment(*A100, *CHOOSE, "--export=NONE")["CFSLURM_VARIANT"] == "acme/tiny@none"


def test_export_none_of_sbatch_keeps_the_options(spank: World, tmp_path: Path) -> None:
    """Slurm 22.05 forgets them; the plugin finds them where Slurm has left them."""
    out = tmp_path / "out"
    job = spank.slurm.submit(
        "--export=NONE", f"--output={out}", *A100, *CHOOSE,
        script="#!/bin/sh\necho variant=$CFSLURM_VARIANT",
    )  # fmt: skip
    spank.wait(job)
    assert out.read_text() == "variant=acme/tiny@none\n"


# --- a job that asks for nothing


def test_job_without_an_option_has_the_environment_that_it_has_without_the_plugin(
    spank: World, tmp_path: Path
) -> None:
    where = ("--nodelist=cpu-1", "--partition=cpu")

    def seen(name: str) -> tuple[dict[str, str], dict[str, str]]:
        return spank.environment(*where), spank.batch_environment(tmp_path / name, *where)

    loaded = seen("loaded")
    spank.switch_off()
    for with_plugin, one, two in zip(loaded, seen("one"), seen("two"), strict=True):
        assert set(with_plugin) == set(one) == set(two)
        same = steady(one, two)
        assert {name: with_plugin[name] for name in same} == same
        assert len(same) > len(one) / 2


def test_job_without_an_option_runs_when_the_plugin_is_set_up_wrongly(spank: World) -> None:
    spank.configure("no_such_argument=1")
    done = spank.srun("true")
    assert done.returncode == 0, done.stderr
    asks = spank.srun(*A100, *CHOOSE, "true")
    assert asks.returncode != 0
    assert "no_such_argument" in asks.stderr


# --- values


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--cf-model", "tiny"),
        ("--cf-model", "acme/tiny@"),
        ("--cf-model", "acme/../tiny"),
        ("--cf-model", "acme/tiny@a b"),
        ("--cf-model", ""),
        ("--cf-run", "../x"),
        ("--cf-run", "/a//b"),
        ("--cf-run", "a b"),
        ("--cf-session", "-x"),
        ("--cf-session", "x" * 300),
        ("--cf-gpu-min-mem", "80"),
        ("--cf-gpu-min-mem", "-1G"),
        ("--cf-gpu-min-mem", "1e3G"),
    ],
)
def test_wrong_value_refuses_the_submission_and_names_the_option(
    spank: World, option: str, value: str
) -> None:
    for program in (("srun", "true"), ("sbatch", "--wrap=true"), ("salloc", "true")):
        done = spank.slurm.run(program[0], "--mem=10", f"{option}={value}", program[1])
        assert done.returncode != 0, program
        said = [line for line in done.stderr.splitlines() if option in line]
        assert any("expected" in line for line in said), done.stderr
    assert spank.slurm.run("squeue", "-h").stdout == ""


def test_wrong_value_of_a_variable_refuses_it_too(spank: World) -> None:
    done = spank.srun("true", CFSLURM_OPT_MODEL="tiny")
    assert done.returncode != 0
    assert "CFSLURM_OPT_MODEL" in done.stderr


def test_option_that_is_not_there_is_refused_by_slurm(spank: World) -> None:
    done = spank.srun("--cf-modle=acme/tiny", "true")
    assert done.returncode != 0
    assert "--cf-modle" in done.stderr


# --- what can be wrong on a node


def _fails_in_one_line(spank: World, *options: str) -> str:
    done = spank.srun(*A100, *options, "sh", "-c", "echo started")
    assert done.returncode != 0
    assert "started" not in done.stdout
    return _only_line(done.stderr)


def test_missing_manifest_ends_the_task_with_one_line(spank: World) -> None:
    (spank.run / "node_manifest").unlink()
    assert str(spank.run) in _fails_in_one_line(spank, *CHOOSE)


def test_missing_manifest_is_a_warning_where_the_sysadmin_says_so(spank: World) -> None:
    spank.configure("on_problem=warn")
    (spank.run / "node_manifest").unlink()
    done = spank.srun(*A100, *CHOOSE, "sh", "-c", "echo started")
    assert (done.returncode, done.stdout) == (0, "started\n")
    assert str(spank.run) in _only_line(done.stderr)


def test_run_that_is_not_there_is_named(spank: World) -> None:
    line = _fails_in_one_line(spank, "--cf-run=gone-1:eval", f"--cf-model={REPO}")
    assert "gone-1" in line


def test_node_that_has_no_variant_is_said(spank: World) -> None:
    done = spank.srun("--partition=cpu", *CHOOSE, "true")
    assert done.returncode != 0
    assert "cpu-32" in _only_line(done.stderr)


def test_damaged_manifest_is_refused(spank: World) -> None:
    file = spank.run / "node_manifest"
    file.write_text(file.read_text()[:-20])
    assert "node_manifest" in _fails_in_one_line(spank, *CHOOSE)


def test_huge_manifest_is_refused_at_once(spank: World) -> None:
    file = spank.run / "node_manifest"
    with file.open("r+b") as huge:
        huge.truncate(1 << 40)
    assert "node_manifest" in _fails_in_one_line(spank, *CHOOSE)


def test_manifest_that_is_a_pipe_or_a_link_is_refused(spank: World) -> None:
    file = spank.run / "node_manifest"
    target = spank.run / "elsewhere"
    file.rename(target)
    file.symlink_to(target)
    assert "node_manifest" in _fails_in_one_line(spank, *CHOOSE)
    file.unlink()
    target.unlink()
    os.mkfifo(file, 0o600)
    assert "node_manifest" in _fails_in_one_line(spank, *CHOOSE)
    file.unlink()


def test_manifest_that_others_could_have_written_is_not_believed(spank: World) -> None:
    file = spank.run / "node_manifest"
    for path, mode, usual in (
        (file, 0o620, 0o600),
        (file, 0o602, 0o600),
        (spank.run, 0o770, 0o700),
    ):
        path.chmod(mode)
        assert str(spank.run) in _fails_in_one_line(spank, *CHOOSE), oct(mode)
        path.chmod(usual)
    assert spank.srun(*A100, *CHOOSE, "true").returncode == 0


def test_manifest_of_somebody_else_is_not_believed(spank: World, other: Other) -> None:
    os.chown(spank.run / "node_manifest", other.uid, other.uid)
    assert "node_manifest" in _fails_in_one_line(spank, *CHOOSE)


def test_user_gets_the_variant_from_a_run_of_their_own(spank: World, other: Other) -> None:
    spank.write_run(owner=other.uid)
    argv = ("srun", "--mem=10", "--quiet", *A100, *CHOOSE, "sh", "-c", "echo $CFSLURM_VARIANT")
    done = other.run(spank.slurm, *argv)
    assert done.stdout == "acme/tiny@none\n", done.stderr
    os.chown(spank.run, 0, 0)


def test_unreadable_manifest_ends_the_task_with_one_line(spank: World, other: Other) -> None:
    """The plugin reads with the rights of the user: what root can read is no matter."""
    argv = ("srun", "--mem=10", "--quiet", *A100, *CHOOSE, "echo", "started")
    done = other.run(spank.slurm, *argv)
    assert done.returncode != 0
    assert "started" not in done.stdout
    assert str(spank.run) in _only_line(done.stderr)


def test_manifest_planted_by_another_user_is_not_believed(spank: World, other: Other) -> None:
    """Root's job names a run that lies in a folder of somebody else."""
    spank.write_run(owner=other.uid)
    line = _fails_in_one_line(spank, f"--cf-run={spank.run}:eval", f"--cf-model={REPO}")
    assert str(spank.run) in line
    os.chown(spank.run, 0, 0)


# --- the cache


def test_require_cached_ends_the_task_before_it_starts(spank: World) -> None:
    place = spank.models / "store" / "acme--tiny" / FULL
    aside = place.with_name("aside")
    place.rename(aside)
    try:
        line = _fails_in_one_line(spank, *CHOOSE, "--cf-require-cached")
        assert "acme/tiny@none" in line
        spank.configure("on_problem=warn")
        assert line == _fails_in_one_line(spank, *CHOOSE, "--cf-require-cached")
    finally:
        aside.rename(place)


def test_variant_with_a_file_too_few_is_not_complete(spank: World) -> None:
    file = spank.models / "store" / "acme--tiny" / FULL / "model.safetensors"
    aside = spank.models / "aside"
    file.rename(aside)
    try:
        assert "acme/tiny@none" in _fails_in_one_line(spank, *CHOOSE, "--cf-require-cached")
    finally:
        aside.rename(file)


def test_model_without_a_run_comes_from_the_cache(spank: World) -> None:
    found = spank.environment(*A100, f"--cf-model={REPO}")
    assert found["CFSLURM_MODEL_PATH"] == str(spank.models / "store" / "acme--tiny" / FULL)


def test_gpu_with_too_little_memory_ends_the_task(spank: World) -> None:
    assert spank.srun(*A100, *CHOOSE, "--cf-gpu-min-mem=40GiB", "true").returncode == 0
    done = spank.srun(*RTX, *CHOOSE, "--cf-gpu-min-mem=40GiB", "true")
    assert done.returncode != 0
    assert "--cf-gpu-min-mem" in _only_line(done.stderr)


# --- what sysadmins may switch on


def test_tasks_are_recorded_with_start_end_and_signal(spank: World) -> None:
    spank.configure("record_tasks=yes")
    script = '[ "$SLURM_PROCID" = 0 ] && exit 3; kill -TERM $$'
    spank.srun("--ntasks=2", *A100, *CHOOSE, "sh", "-c", script)
    (file,) = (spank.run / "telemetry").iterdir()
    assert re.fullmatch(r"[0-9]+\.0\.a100-1\.tsv", file.name)
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    assert sorted(line[:2] for line in lines) == [
        ["end", "0"], ["end", "1"], ["start", "0"], ["start", "1"],
    ]  # fmt: skip
    ends = {task: tuple(rest[1:]) for kind, task, *rest in lines if kind == "end"}
    assert ends == {"0": ("3", "0"), "1": ("-1", "15")}
    shutil.rmtree(spank.run / "telemetry")


def test_model_files_are_read_ahead(spank: World) -> None:
    if shutil.which("fincore") is None:
        pytest.skip("fincore is not installed")
    file = spank.models / "store" / "acme--tiny" / FULL / "model.safetensors"

    def is_cached() -> bool:
        words = ("fincore", "--noheadings", "--bytes", "--output=PAGES", str(file))
        return int(spank.slurm.run(*words).stdout) > 0

    descriptor = os.open(file, os.O_RDONLY)
    os.sync()
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    if is_cached():
        pytest.skip("this filesystem keeps the file in memory")
    assert spank.srun(*A100, *CHOOSE, "true").returncode == 0
    assert not is_cached()
    spank.configure("read_ahead_mib=16")
    assert spank.srun(*A100, *CHOOSE, "true").returncode == 0
    assert is_cached()


def test_gpus_of_a_job_are_told_to_dashboards_while_it_runs(
    slurm_programs: None, tmp_path: Path, eventually: Wait
) -> None:
    jobstats, dcgm = tmp_path / "gpustat", tmp_path / "dcgm"
    jobstats.mkdir(mode=0o755)
    dcgm.mkdir(mode=0o755)
    plugstack = tmp_path / "plugstack.conf"
    plugin = build().with_name("cfslurm_gpu_map.so")
    plugstack.write_text(f"optional {plugin} gpustat_dir={jobstats} dcgm_dir={dcgm}\n")
    slurm = start(tmp_path / "box", profile="tiny", plugstack=plugstack)
    try:
        job = slurm.submit("--gres=gpu:2", script="sleep 60")
        eventually(lambda: slurm.job_state(job) == "RUNNING" and any(dcgm.iterdir()))
        seen = {path.name: path.read_text() for path in jobstats.iterdir()}
        assert seen == {"0": f"{job} {os.getuid()}\n", "1": f"{job} {os.getuid()}\n"}
        assert {path.name: path.read_text().split() for path in dcgm.iterdir()} == {
            "0": [job], "1": [job],
        }  # fmt: skip
        slurm.run("scancel", job)
        eventually(lambda: not [*jobstats.iterdir(), *dcgm.iterdir()])
        assert "drain" not in slurm.run("sinfo", "-h", "-N", "-o", "%T").stdout
    finally:
        stop(tmp_path / "box")


# --- beside cfslurm's own runner


def test_programs_of_a_run_find_the_same_with_and_without_the_plugin(
    spank: World, tmp_path: Path, eventually: Wait
) -> None:
    """The run's own script is handed to sbatch once more, with an option of the plugin."""
    spank.switch_off()
    (tmp_path / "workflow.yaml").write_text(
        "schema: cfslurm.workflow/1\nname: envs\ntasks:\n  show:\n"
        "    command: [sh, -c, '/usr/bin/env -0 > seen']\n"
        "    work: {time: 1s}\n    time: 1m\n    resources: {mem: 50M}\n"
    )
    runs = tmp_path / "runs"
    ours = {"CFSLURM_RUNS": str(runs), "HOME": str(tmp_path), **_with_bin()}
    words = ("cfslurm", "submit", "workflow.yaml", "--parsable")
    run = runs / spank.slurm.run(*words, cwd=tmp_path, extra=ours).stdout.strip()

    def seen() -> dict[str, str]:
        file = tmp_path / "seen"
        eventually(lambda: file.exists() and not spank.slurm.run("squeue", "-h").stdout)
        return read_environment(file)

    without = seen()
    (tmp_path / "seen").unlink()
    shutil.rmtree(run / "outcomes")
    spank.configure()
    kept = {name: value for name, value in {**spank.slurm.env, **ours}.items() if name in EXPORTED}
    script = (run / "submission" / "show.sbatch").read_text()
    sbatch = ("env", "-i", *(f"{name}={value}" for name, value in kept.items()), "sbatch")
    done = spank.slurm.run(*sbatch, f"--cf-run={run}", stdin=script, cwd=run)
    assert done.returncode == 0, done.stderr
    found = seen()
    assert found.pop("CFSLURM_SPANK") == __version__
    handed_on = [name for name in found if "_SPANK_OPTION_" in name]  # Slurm's own
    assert set(found) - set(handed_on) == set(without)
    ours_only = {name for name in found if name.startswith(("CFSLURM_", "HF_", "TRANSFORMERS_"))}
    private = {"CFSLURM_RESULT", "HF_HOME"}
    assert {n: found[n] for n in ours_only - private} == {
        n: without[n] for n in ours_only - private
    }
    assert found["CFSLURM_NODE_CLASS"] == "cpu-32"


# --- the version, and who says it


def test_doctor_says_whether_the_plugin_is_there(spank: World) -> None:
    def detail(*srun: str) -> str:
        words = ("cfslurm", "doctor", "--json", "--no-hub")
        done = spank.slurm.run(
            *srun, *words, extra={"CFSLURM_RUNS": str(spank.runs), **_with_bin()}
        )
        checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        assert checks["SPANK plugin"]["grade"] == "ok"
        return str(checks["SPANK plugin"]["detail"])

    assert detail() == f"srun, sbatch and salloc have {', '.join(OPTIONS)}"
    in_job = detail("srun", "--mem=10", *A100, *CHOOSE)
    assert in_job == f"{__version__}, active in this job"
    spank.switch_off()
    assert detail().startswith("not installed (optional)")


def _with_bin() -> dict[str, str]:
    import sys

    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
