"""``python -I -m cfslurm.node.probe``: what this node says of itself, as JSON.

Reading a GPU's driver or an unknown disk can hang, die or print rubbish. So each such section is read
by a child process of its own, with a deadline and a limit on its output; the others do not suffer.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cfslurm.adapters.clock import SystemClock, utc_text
from cfslurm.adapters.environment import Environment, read_environment
from cfslurm.adapters.files import json_text, write_atomic
from cfslurm.adapters.process import Bounded, run_bounded
from cfslurm.core.documents import Json, to_json
from cfslurm.core.hardware.probe import SCHEMA, Count, NotKnown
from cfslurm.errors import OK, UserInputError

SECTIONS: Mapping[str, float] = {"gpu": 60.0, "machine": 20.0, "scratch": 40.0, "network": 20.0}
_MOST_BYTES = 1024**2
_SAID = 300


def main(arguments: Sequence[str]) -> int:
    """Write the answer to ``--answer FILE``, else to standard output; the exit code."""
    options = _options(arguments)
    environment = read_environment()
    if "section" in options:
        _tell_section(options["section"], environment)
        return OK
    text = json_text(answer(environment, deadlines=SECTIONS))
    if "answer" in options:
        write_atomic(Path(options["answer"]), text.encode())
    else:
        sys.stdout.write(text)
    return OK


def _options(arguments: Sequence[str]) -> dict[str, str]:
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not set(pairs) <= {"--answer", "--section"}:
        raise UserInputError(
            f"cfslurm.node.probe cannot be called with {list(arguments)!r}",
            remedy="Call it without any, or with --answer FILE.",
        )
    return {key.removeprefix("--"): value for key, value in pairs.items()}


def node_name(environment: Environment) -> str:
    """The name by which Slurm knows this node; outside of a job the host's own."""
    return environment.get("SLURMD_NODENAME") or environment.host


def answer(environment: Environment, *, deadlines: Mapping[str, float]) -> dict[str, Json]:
    """The whole answer; a section that cannot be had is not known, with the reason."""
    sections = {name: _read_section(name, limit) for name, limit in deadlines.items()}
    return {
        "schema": SCHEMA,
        "node": node_name(environment),
        "probed_at": utc_text(SystemClock().now()),
        "gpus_asked": to_json(_gpus_asked(environment)),
        **sections,
    }


def _gpus_asked(environment: Environment) -> Count:
    """How many GPUs this job holds here."""
    if environment.get("SLURM_JOB_ID") is None:
        return NotKnown(not_known="this is not a Slurm job")
    count = environment.get("SLURM_GPUS_ON_NODE") or "0"
    return int(count) if count.isdigit() else NotKnown(not_known=f"SLURM_GPUS_ON_NODE={count!r}")


def _read_section(name: str, deadline_s: float) -> Json:
    argv = (sys.executable, "-I", "-m", "cfslurm.node.probe", "--section", name)
    done = run_bounded(argv, deadline_s=deadline_s, most_bytes=_MOST_BYTES)
    return section_of(name, done)


def section_of(name: str, done: Bounded) -> Json:
    """What a child said, if it is an answer; else why there is none."""
    last = done.errors.splitlines()[-1][:_SAID] if done.errors else ""
    why = done.problem
    if not why and done.returncode != OK:
        how = "was killed by signal" if (done.returncode or 0) < 0 else "exited"
        why = f"{how} {abs(done.returncode or 0)}"
    if not why:
        try:
            found: Json = json.loads(done.output)
        except (ValueError, RecursionError):
            why, last = "printed no JSON", repr(done.output[:80])
        else:
            if isinstance(found, dict | list):
                return found
            why = f"printed {type(found).__name__} instead of an object"
    return to_json(
        NotKnown(
            not_known=f"reading {name} {why}" + (f": {last}" if last else ""),
            remedy="Run `python -I -m cfslurm.node.probe` on the node and look at its `dmesg`.",
        )
    )


def _tell_section(name: str, environment: Environment) -> None:
    """Read a section in this process and print it.

    What libraries print meanwhile goes to standard error: the answer has the real output for itself.
    """
    real_output = os.dup(1)
    os.dup2(2, 1)
    found = _section(name, environment)
    with os.fdopen(real_output, "w", encoding="utf-8") as output:
        json.dump(to_json(found), output)


def _section(name: str, environment: Environment) -> object:
    if name == "gpu":
        return _gpu(environment)
    if name == "machine":
        from cfslurm.adapters.machine import read_machine

        return read_machine()
    if name == "scratch":
        from cfslurm.adapters.scratch import read_scratch

        named = [environment.get(variable) for variable in ("SLURM_TMPDIR", "TMPDIR")]
        return read_scratch([place for place in named if place], clock=SystemClock())
    from cfslurm.adapters.machine import read_network

    return read_network()


def _gpu(environment: Environment) -> object:
    """NVIDIA's cards; where there is no NVML, AMD's; else why there is no NVML."""
    from cfslurm.adapters.amd import has_amd_gpus, read_amd
    from cfslurm.adapters.nvml import open_nvml
    from cfslurm.adapters.nvml_gpus import read_gpus

    node = node_name(environment)
    with open_nvml() as nvml:
        if not isinstance(nvml, NotKnown):
            return read_gpus(nvml, node=node)
    return read_amd(node=node) if has_amd_gpus() else nvml


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
