"""Runs whose models come from a Hub over HTTP: variants, prefetch, and repositories that are not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.hub.server import HubServer, serving
from tests.slurm.user import User

pytest_plugins = ("tests.hub.fixtures",)

LAB = Path(__file__).resolve().parents[2] / "examples" / "lab" / "workflow.yaml"
MODEL = """\
name: with-model
models: {{m: {{repo: {repo}, engine: pretend, max_model_len: 64}}}}
tasks:
  look:
    command: [ls, "{{model_path}}"]
    model: m
    array: {{range: 0-3}}
    work: {{time: 1s}}
    time: 1m
"""


@pytest.mark.parametrize(
    ("repo", "said"),
    [
        ("lab/nowhere", "lab/nowhere"),
        ("acme/gated", "gated"),
        ("acme/private", "acme/private"),
    ],
)
def test_repository_that_is_not_for_us_is_said_and_nothing_is_submitted(
    user: User, hub_server: HubServer, repo: str, said: str
) -> None:
    user.write(MODEL.format(repo=repo))
    done = user.cfslurm("submit", "workflow.yaml", HF_ENDPOINT=hub_server.endpoint)
    assert done.returncode == 69, done.stderr
    assert said in done.stderr
    assert "try: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not user.runs.exists()
    assert user.jobs() == []


def test_token_of_hf_auth_login_opens_what_is_private_and_is_written_nowhere(
    user: User, hub_server: HubServer
) -> None:
    user.write(MODEL.format(repo="acme/private"))
    login = {"HF_ENDPOINT": hub_server.endpoint, "HF_HOME": str(user.folder / "hf")}
    refused = user.cfslurm("submit", "workflow.yaml", HF_TOKEN="hf_member", **login)
    assert refused.returncode == 69, refused.stderr
    assert "jobs do not get HF_TOKEN" in refused.stderr
    assert user.jobs() == []
    (user.folder / "hf").mkdir()
    user.write("hf_member", "hf/token")
    run_id = user.submit(MODEL.format(repo="acme/private"), **login)
    user.wait(run_id)
    assert "model.safetensors" in user.cfslurm("logs", run_id, "look").stdout
    run = user.runs / run_id
    leaks = [p for p in run.rglob("*") if p.is_file() and b"hf_member" in p.read_bytes()]
    assert leaks == []


def test_variants_are_fetched_once_before_any_gpu_waits(user: User, hub_server: HubServer) -> None:
    run_id = user.submit(MODEL.format(repo="acme/tiny"), HF_ENDPOINT=hub_server.endpoint)
    answer = user.wait(run_id)
    keys = [job["key"] for job in answer["run"]["jobs"]]
    assert keys == ["prefetch", "look"]
    script = (user.runs / run_id / "submission" / "prefetch.sbatch").read_text()
    assert not re.search(r"^#SBATCH --gres", script, re.MULTILINE)
    hub_server.forget()
    again = user.submit(MODEL.format(repo="acme/tiny"), HF_ENDPOINT=hub_server.endpoint)
    jobs = [job["key"] for job in user.wait(again)["run"]["jobs"]]
    assert jobs == ["look"]
    assert hub_server.requests(r"/resolve/.*safetensors") == []


def test_dry_run_of_the_demos_workflow_shows_scripts_that_slurm_accepts(
    user: User, demo_root: Path, hub_client: None
) -> None:
    with serving(demo_root) as hub:
        done = user.cfslurm("submit", str(LAB), "--dry-run", HF_ENDPOINT=hub.endpoint)
    assert done.returncode == 0, done.stderr
    keys = ["prefetch", "agents", "atlas", "evaluate", "report"]
    assert re.findall(r"^--- (\w+): sbatch --parsable --hold", done.stdout, re.MULTILINE) == keys
    assert done.stdout.count("--- sbatch --test-only: ") == len(keys)
    assert "#SBATCH hetjob" in done.stdout
    assert "Nothing was submitted" in done.stdout
    assert user.jobs() == []
    assert not user.runs.exists()


def test_memory_is_asked_for_a_node_class_of_this_cluster(user: User, demo_root: Path) -> None:
    folder = str(demo_root / "lab" / "judge-20b")
    rows = user.json("models", "size", folder, "--gpu", "rtx4090-x8", "--engine", "pretend")
    assert rows["age"]["file"] == ""  # the cluster has told the card, and when
    assert rows["gpu"]["memory_mib"] == 24, "what the site says, not the catalogue"
    verdicts = [row["fit"]["verdict"] for row in rows["rows"]]
    assert verdicts == ["does not fit", "does not fit", "fits"]
    fits = user.json("models", "fit", folder, "--engine", "pretend", "--seqs", "4")
    assert {cell["node_class"]: cell["gpus"] for cell in fits["cells"]} == {
        "a100_80-x4": 1, "rtx4090-x8": 4, "rtx6000ada-x2": 2,
    }  # fmt: skip
    assert fits["best"]["node_class"] == "a100_80-x4"
    unknown = user.cfslurm("models", "size", folder, "--gpu", "warp9")
    assert unknown.returncode == 2
    assert "there is no GPU 'warp9'" in unknown.stderr
