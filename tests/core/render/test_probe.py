"""The script of a probe job, whole; and names that cannot stand in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.core.hardware.probe_targets import ProbeTarget
from cfslurm.core.render.probe import PROBE_TEMPLATES, ProbeSettings, probe_jobs
from cfslurm.errors import UserInputError

_FOLDER = Path(__file__).parents[3] / "sbatch_templates"
TEMPLATES = {name: (_FOLDER / name).read_text() for name in PROBE_TEMPLATES}
TARGET = ProbeTarget(
    node="a1",
    node_class="a100_80-x4",
    partition="gpu",
    gres="gpu:a100_80:3",
    gpus_asked=3,
    gpus_total=4,
    time_limit_s=300,
)
SETTINGS = ProbeSettings(
    probe_id="probe-1f2e3d",
    directory="/runs/it's here/.probes/x",
    python="/opt/py 3/bin/python",
    account="lab",
    qos="",
)
SCRIPT = r"""#!/bin/bash
# Asks a1 what it has, with 3 of its 4 GPU(s): half a minute.
#SBATCH --job-name=probe-1f2e3d.a1
#SBATCH --comment=cfslurm:run=probe-1f2e3d,job=a1
#SBATCH --account=lab
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --partition=gpu
#SBATCH --gres=gpu:a100_80:3
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=512M
#SBATCH --time=0-00:05:00
#SBATCH --nodelist=a1
#SBATCH --output=logs/a1.log

exec '/opt/py 3/bin/python' -I -m cfslurm.node.probe --answer '/runs/it'"'"'s here/.probes/x/answers/a1.json'
"""


def test_the_script() -> None:
    (job,) = probe_jobs([TARGET], TEMPLATES, SETTINGS, export=("PATH",)).jobs
    assert job.script == SCRIPT
    assert (job.key, job.name) == ("a1", "probe-1f2e3d.a1")
    assert job.answer == "/runs/it's here/.probes/x/answers/a1.json"


@pytest.mark.parametrize("account", ["a b", "a;id", "$(id)", "a\n#SBATCH --uid=0", "ü"])
def test_what_cannot_stand_after_sbatch_is_refused(account: str) -> None:
    with pytest.raises(UserInputError, match="cannot be written into an #SBATCH line"):
        probe_jobs([TARGET], TEMPLATES, replace(SETTINGS, account=account), export=())


def test_a_cpu_node_asks_for_no_gpu() -> None:
    target = replace(TARGET, gres="", gpus_asked=0, gpus_total=0)
    (job,) = probe_jobs([target], TEMPLATES, SETTINGS, export=()).jobs
    assert "--gres" not in job.script
