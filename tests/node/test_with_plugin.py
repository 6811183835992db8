"""The runner beside the SPANK plugin: it takes what fits, and programs find the same without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.environment import Environment
from cfslurm.core.run.manifest import Manifest, Program, ProgramSession, VariantPlace
from cfslurm.node.place import find_place
from cfslurm.node.surroundings import Here, surroundings

JOB = {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n2", "PATH": "/bin"}
MANIFEST = Manifest(
    run_id="study-1",
    run_dir="/runs/study-1",
    workflow="study",
    classes={"a": "n[1-2]", "b": "n3"},
    addresses={},
    max_requeues=100,
)


def _environment(variables: Mapping[str, str]) -> Environment:
    return Environment(
        variables=variables, user="ada", uid=1, home=Path("/"), host="n2", directory=Path("/")
    )


def _class(**variables: str) -> str:
    return find_place(_environment({**JOB, **variables}), MANIFEST).node_class


def test_class_that_the_plugin_has_found_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_search(node: str, _: Manifest) -> str:
        raise AssertionError(node)

    monkeypatch.setattr("cfslurm.node.place.class_of", no_search)
    assert _class(CFSLURM_SPANK="1", CFSLURM_RUN_ID="study-1", CFSLURM_NODE_CLASS="a") == "a"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"CFSLURM_NODE_CLASS": "b"},
        {"CFSLURM_SPANK": "1", "CFSLURM_RUN_ID": "study-1", "CFSLURM_NODE_CLASS": "b"},
        {"CFSLURM_SPANK": "1", "CFSLURM_RUN_ID": "study-1", "CFSLURM_NODE_CLASS": "none"},
        {"CFSLURM_SPANK": "1", "CFSLURM_RUN_ID": "study-1"},
        {"CFSLURM_SPANK": "1", "CFSLURM_RUN_ID": "other-1", "CFSLURM_NODE_CLASS": "a"},
        {"CFSLURM_SPANK": "", "CFSLURM_RUN_ID": "study-1", "CFSLURM_NODE_CLASS": "b"},
    ],
)
def test_what_the_manifest_does_not_confirm_counts_for_nothing(variables: dict[str, str]) -> None:
    assert _class(**variables) == "a"


def _program_environment(inherited: Mapping[str, str], folder: Path) -> dict[str, str]:
    model = folder / "model"
    place = VariantPlace(
        variant="acme/tiny@awq", repo_id="acme/tiny", revision="1" * 40, quantization="awq",
        path=str(model), tensor_parallel_size=1, max_model_len=4096,
    )  # fmt: skip
    program = Program(
        command=("true",), environment={}, workdir="/", variants={"a": place},
        session=ProgramSession(checkpoint_s=60, keep=2),
    )  # fmt: skip
    found = surroundings(
        program,
        Here(
            manifest=replace(MANIFEST),
            place=find_place(_environment(inherited), MANIFEST),
            temporary=folder,
            inherited=inherited,
        ),
        entry="eval",
        session="eval.0",
    )
    return dict(found.environment)


def test_program_finds_the_same_with_and_without_the_plugin(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "cfslurm.lock.json").touch()
    plain = _program_environment(JOB, tmp_path)
    plugin = {  # as plugin.c sets them for a job with --cf-run, --cf-model and --cf-session
        "CFSLURM_OPT_RUN": "study-1:eval",
        "CFSLURM_SPANK": "0.1.0",
        "CFSLURM_RUN_ID": "study-1",
        "CFSLURM_RUN_DIR": "/runs/study-1",
        "CFSLURM_NODE_CLASS": "a",
        "CFSLURM_MODEL_PATH": str(model),
        "CFSLURM_VARIANT": "acme/tiny@awq",
        "CFSLURM_MODEL_REPO": "acme/tiny",
        "CFSLURM_MODEL_REVISION": "1" * 40,
        "CFSLURM_QUANTIZATION": "awq",
        "CFSLURM_TENSOR_PARALLEL_SIZE": "1",
        "CFSLURM_MAX_MODEL_LEN": "4096",
        "CFSLURM_SESSION": "mine",
        "CFSLURM_SESSION_DIR": "/runs/study-1/sessions/mine",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    beside = _program_environment({**JOB, **plugin}, tmp_path)
    assert beside == {**plain, "CFSLURM_SPANK": "0.1.0"}
    assert set(plugin) - {"CFSLURM_OPT_RUN", "CFSLURM_SPANK"} <= set(plain)


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (None, {"KEY_FILE": "/mine"}),
        (
            ProgramSession(checkpoint_s=60, keep=2),
            {"INTERVAL": "60", "KEEP": "2", "KEY_FILE": "/mine"},
        ),
        (
            ProgramSession(
                checkpoint_s=60, keep=2, keep_hourly=0, keep_daily=7, compression="zip",
                group="lab", key_file="~/k",
            ),
            {
                "INTERVAL": "60", "KEEP": "2", "KEEP_HOURLY": "0", "KEEP_DAILY": "7",
                "COMPRESSION": "zip", "GROUP": "lab", "KEY_FILE": "~/k",
            },
        ),
    ],
)  # fmt: skip
def test_what_the_workflow_says_of_a_session_comes_first_then_the_environment(
    session: ProgramSession | None, expected: dict[str, str], tmp_path: Path
) -> None:
    inherited = {**JOB, "CFSLURM_SESSION_KEY_FILE": "/mine"}
    program = Program(command=("a",), environment={}, workdir="/", variants={}, session=session)
    place = find_place(_environment(inherited), MANIFEST)
    here = Here(manifest=MANIFEST, place=place, temporary=tmp_path, inherited=inherited)
    found = surroundings(program, here, entry="t", session="t.0").environment
    prefix = "CFSLURM_SESSION_"
    told = {name.removeprefix(prefix): v for name, v in found.items() if name.startswith(prefix)}
    told.pop("DIR", None)
    assert told == expected
