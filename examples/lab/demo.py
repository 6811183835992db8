"""``make demo``: the lab's workflow on a private, real Slurm, from nothing to a checked table.

Everything it does it does with commands that you can type yourself; it prints each before it runs it.
The sandbox, its caches and its runs lie in .demo/ and are gone at the end (keep them with --keep).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cfslurm import Session
from cfslurm.core.slurm.hostlist import fold

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
WORKFLOW = HERE / "workflow.yaml"
STEPS = 60
PREEMPT_AT_STEP = 15
PATIENCE_S = 120


def main() -> int:
    """Run the demo; 0 if every check holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave sandbox and hub files in .demo/")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".demo")
    options = parser.parse_args()
    began = time.monotonic()
    folder: Path = options.folder.resolve()
    folder.mkdir(exist_ok=True)
    with hub(folder) as endpoint, sandbox(folder, keep=options.keep) as environment:
        environment["HF_ENDPOINT"] = endpoint
        holds = show(environment)
    print(
        f"\ndemo: {'all checks hold' if holds else 'A CHECK FAILED'}; {time.monotonic() - began:.0f} s"
    )
    return 0 if holds else 1


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """A Hugging Face Hub on this machine with made-up models: 1 MiB stands for 1 GiB."""
    title("A Hub with made-up models")
    module = [sys.executable, "-m"]
    subprocess.run(
        [*module, "tests.hub.repos", folder / "hub", "--set", "demo"], cwd=REPOSITORY, check=True
    )
    port_file = folder / "hub.port"
    port_file.unlink(missing_ok=True)
    command = [*module, "tests.hub.server", folder / "hub", "--port-file", port_file]
    server = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: port_file.exists() and port_file.read_text().strip(), "the hub")
        endpoint = f"http://127.0.0.1:{port_file.read_text().strip()}"
        print(f"the Hub answers at {endpoint}")
        yield endpoint
    finally:
        server.terminate()
        server.wait()


@contextmanager
def sandbox(folder: Path, *, keep: bool) -> Iterator[dict[str, str]]:
    """A private, real Slurm; yields the environment that points at it."""
    title(
        "A private, real Slurm: one A100 node, one of RTX 4090, two of RTX 6000 Ada, two CPU nodes"
    )
    where = ["--dir", str(folder / "sandbox")]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("CFSLURM_", "SLURM_", "HF_"))},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / "cache"),
        # What these runs take teaches nothing about others, and others' nothing about these.
        "XDG_STATE_HOME": str(folder / "sandbox" / "learned"),
    }
    run("cfslurm", "sandbox", "up", *where, environment=environment)
    try:
        lines = call("cfslurm", "sandbox", "env", *where, environment=environment)
        for line in lines.splitlines():
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                environment[name] = shlex.split(value)[0]
        yield environment
    finally:
        if not keep:
            run("cfslurm", "sandbox", "down", *where, environment=environment)


def show(environment: Mapping[str, str]) -> bool:
    """What a user would do, one step after the other."""
    title("What the cluster has")
    run("cfslurm", "info", environment=environment)
    title(
        "Submit: agents as one gang, 60 questions over three kinds of GPUs, a model that needs two GPUs"
    )
    run("cfslurm", "submit", str(WORKFLOW), environment=environment)
    run_id = json_of("cfslurm", "status", "last", "--json", environment=environment)["run"][
        "run_id"
    ]
    runs = json_of("cfslurm", "config", "show", "--json", environment=environment)["settings"]
    folder = Path(next(entry["value"] for entry in runs if entry["name"] == "runs")) / run_id
    title(
        f"The agents work; at step {PREEMPT_AT_STEP} a job of a higher tier takes the vision agent's node"
    )
    wait_for(lambda: step_of(folder) >= PREEMPT_AT_STEP, "the agents")
    run("cfslurm", "status", run_id, environment=environment)
    node = part_of(status(run_id, environment), "vision")["node"]
    intruder = (
        "sbatch",
        "--parsable",
        "--job-name=colleague",
        "--partition=gpu",
        f"--nodelist={node}",
    )
    run(
        *intruder, "--gres=gpu:4", "--mem=100M", "--time=1", "--output=/dev/null", "--wrap=sleep 3",
        environment=environment,
    )  # fmt: skip
    wait_for(
        lambda: job_of(status(run_id, environment), "agents")["state"] == "pending",
        "the preemption",
    )
    print(f"the gang was preempted after step {step_of(folder)}; it saved its state and waits:")
    run("cfslurm", "queue", environment=environment)
    title("The colleague's job ends, the gang comes back and goes on where it was")
    wait_for(lambda: status(run_id, environment)["run"]["state"] in ("done", "failed"), "the run")
    run("cfslurm", "status", run_id, environment=environment)
    run("cfslurm", "logs", run_id, "report", environment=environment)
    title("Who ran where, and the checks")
    return verdict(run_id, folder, environment)


def verdict(run_id: str, folder: Path, environment: Mapping[str, str]) -> bool:
    """The final table, and whether nothing ran twice and nothing was lost."""
    answer = json_of("cfslurm", "status", run_id, "--items", "--json", environment=environment)
    nodes = json_of("cfslurm", "info", "-N", "--json", environment=environment)["rows"]
    gpu_types = {
        node["name"]: ",".join(g["gpu_type"] for g in node["gpus"]) or "-" for node in nodes
    }
    print_table(answer, gpu_types)
    items = {key: states for key, states in answer["items"].items() if key.startswith("evaluate")}
    evaluated = [item for states in items.values() for item in states]
    checks = {
        "60 items are done": sorted(i["item"] for i in evaluated if i["state"] == "done")
        == list(range(60)),
        "no item was done twice": all(item["results"] == 1 for item in evaluated),
        "three variants on three kinds of GPUs": len({i["variant"] for i in evaluated}) == 3
        and len({gpu_types[i["node"]] for i in evaluated}) == 3,
        "atlas ran with tensor parallel 2": "2 GPUs"
        in (folder / "logs" / "atlas-0.log").read_text(),
        **agent_checks(answer, folder),
    }
    for text, holds in checks.items():
        print(f"  {'ok  ' if holds else 'FAIL'}  {text}")
    return all(checks.values())


def agent_checks(answer: Mapping[str, Any], folder: Path) -> dict[str, bool]:
    """Every step of every agent is in its session once, in order, over the preemption."""
    restarts = part_of(answer, "orchestrator")["attempt"]
    checks = {"the gang was preempted and came back": restarts >= 1}
    for name in ("vision", "coder", "orchestrator"):
        events = Session.read(folder / "sessions" / f"agents.0.{name}").events
        steps = [event["step"] for event in events if "step" in event]
        checks[f"{name}: steps 0 to {STEPS - 1}, each once"] = steps == list(range(STEPS))
    events = Session.read(folder / "sessions" / "agents.0.orchestrator").events
    begins = [event["began_at"] for event in events if "began_at" in event]
    checks["it went on at the step where it was"] = len(begins) == restarts + 1 and begins[1] > 0
    return checks


def print_table(answer: Mapping[str, Any], gpu_types: Mapping[str, str]) -> None:
    """Agents one by one, items by node and variant."""
    rows = [("WHO", "NODE", "GPU", "VARIANT", "RESTARTS")]
    for job in answer["run"]["jobs"]:
        rows += [
            (
                f"agent {p['name']}",
                p["node"],
                gpu_types[p["node"]],
                p["variant"] or "-",
                str(p["attempt"]),
            )
            for p in job["parts"]
        ]
    groups: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
    for key, items in answer["items"].items():
        for item in items:
            entry = key.split(".")[0]
            groups[entry, item["node"], item["variant"], item["starts"] - 1].append(item["item"])
    for (entry, node, variant, restarts), numbers in sorted(groups.items()):
        folded = fold(str(number) for number in numbers).strip("[]")
        rows.append((f"{entry} {folded}", node, gpu_types[node], variant or "-", str(restarts)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print(
            "  "
            + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def status(run_id: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What `cfslurm status --json` says; 1 means that something has failed, and is shown later."""
    return json_of("cfslurm", "status", run_id, "--json", environment=environment)


def job_of(answer: Mapping[str, Any], key: str) -> dict[str, Any]:
    """One job of a status."""
    return next(job for job in answer["run"]["jobs"] if job["key"] == key)


def part_of(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One agent of a status."""
    return next(part for part in job_of(answer, "agents")["parts"] if part["name"] == name)


def step_of(folder: Path) -> int:
    """How far the orchestrator has come, by what is safe on disk."""
    session = folder / "sessions" / "agents.0.orchestrator"
    if not any(session.glob("g*.h5")):
        return 0
    return int(Session.read(session).state.get("step", 0))


def run(*command: str, environment: Mapping[str, str]) -> None:
    """Print a command, then what it prints."""
    print(f"$ {shlex.join(command)}", flush=True)
    done = subprocess.run(command, env=environment, cwd=HERE, check=False)
    if done.returncode:
        raise SystemExit(f"demo: {command[0]} {command[1]} ended with {done.returncode}")


def call(*command: str, environment: Mapping[str, str]) -> str:
    """What a command prints."""
    return subprocess.run(
        command, env=environment, cwd=HERE, check=False, stdout=subprocess.PIPE, text=True
    ).stdout


def json_of(*command: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a command prints as JSON."""
    data: dict[str, Any] = json.loads(call(*command, environment=environment))
    return data


def wait_for(condition: Any, what: str) -> None:
    """Look every 0.2 s until something has happened."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(
                f"demo: waited {PATIENCE_S} s for {what} in vain; see .demo/sandbox (--keep)"
            )
        time.sleep(0.2)


def title(text: str) -> None:
    """A heading."""
    print(f"\n=== {text} ===", flush=True)


if __name__ == "__main__":
    sys.exit(main())
