"""`cfslurm models size` and `formats`, as a user calls them, without Hub and cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cfslurm.adapters.files import json_text
from tests.builders import LLAMA_70B, catalog, variant
from tests.cli.conftest import Call
from tests.hub.published import make_published


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    make_published(root)
    return root


def test_a_folder_is_sized_from_its_headers(cfslurm: Call, models: Path) -> None:
    done = cfslurm(
        "models", "size", str(models / "meta/llama-8b"), "--gpu", "rtx4090", "--ctx", "8k"
    )
    assert done.returncode == 0, done.stderr
    assert "local/llama-8b@none  vllm       1  fits" in done.stdout
    assert "24564 MiB by the driver" in done.stderr


def test_explain_has_the_numbers_in_the_formulas(cfslurm: Call, models: Path) -> None:
    done = cfslurm(
        "models", "size", str(models / "meta/llama-70b"), "--gpu", "h100", "--tp", "2", "--explain"
    )
    assert "80 layers x 2048 B x 4096 tokens" in done.stdout
    assert "131.4G / 2 + 2.5M on every GPU" in done.stdout
    assert "headers of the weight files" in done.stdout


def test_nothing_that_fits_is_exit_1(cfslurm: Call, models: Path) -> None:
    done = cfslurm("models", "size", str(models / "meta/llama-70b"), "--gpu", "t4", "--tp", "1")
    assert done.returncode == 1
    assert "does not fit" in done.stdout
    assert "too much" in done.stdout


def test_what_is_too_large_on_any_number_of_gpus_is_told_once(cfslurm: Call, models: Path) -> None:
    done = cfslurm("models", "size", str(models / "meta/llama-70b"), "--gpu", "t4")
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("!")]
    assert told.startswith("! local/llama-70b@none on 8: needs ")
    fits = cfslurm("models", "size", str(models / "meta/llama-70b"), "--gpu", "h200")
    assert "!" not in fits.stdout


def test_another_version_runs_other_formats(cfslurm: Call, models: Path) -> None:
    folder = str(models / "openai/gpt-oss-20b")
    old = cfslurm("models", "size", folder, "--gpu", "h100", "--engine-version", "0.9")
    assert old.returncode == 1
    assert "vllm 0.9 does not run mxfp4 models (versions since 0.10 do)" in old.stdout
    assert cfslurm("models", "size", folder, "--gpu", "h100").returncode == 0


def test_a_recorded_catalogue_needs_no_hub(cfslurm: Call, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    found = catalog(judge=[variant("awq", 37.0, architecture=LLAMA_70B, group_size=128)])
    file.write_text(json_text(found))
    done = cfslurm(
        "models",
        "size",
        "judge",
        "--catalog",
        str(file),
        "--gpu",
        "a100_80",
        "--seqs",
        "8",
        "--json",
    )
    (row,) = json.loads(done.stdout)["rows"]
    assert row["fit"]["verdict"] == "fits"
    assert row["most_sequences"] > 8
    other = cfslurm("models", "size", "jury", "--catalog", str(file), "--gpu", "a100_80")
    assert other.returncode == 2
    assert "It has: judge" in other.stderr


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--gpu", "rtx409"), "there is no GPU 'rtx409'"),
        (("--gpu", "rtx4090", "--ctx", "1x"), "'1x' is no number of tokens"),
        (("--gpu", "rtx4090", "--ctx", "0"), "'0' is no number of tokens"),
        (("--gpu", "rtx4090", "--engine", "warp"), "there is no engine 'warp'"),
        (("--gpu", "rtx4090", "--seqs", "0"), "0 is not in the range"),
        (("--gpu", "rtx4090", "--engine-version", "99.b;rm"), "'99.b;rm' is no version"),
        (("--gpu", "rtx4090", "--engine-version", "new"), "'new' is no version"),
        (("--gpu", "rtx4090", "--kv-dtype", "fp99"), "there is no KV cache in 'fp99'"),
        (("--gpu", "rtx4090", "--engine", "vllm", "--kv-dtype", "q8_0"), "no KV cache in 'q8_0'"),
    ],
)
def test_wrong_questions_are_exit_2(
    cfslurm: Call, models: Path, argv: tuple[str, ...], says: str
) -> None:
    done = cfslurm("models", "size", str(models / "meta/llama-8b"), *argv)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize("damage", ["empty", "no config", "config", "weights"])
def test_damaged_folders_are_told(cfslurm: Call, models: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if damage != "empty":
        shutil.copy(models / "meta/llama-8b/config.json", folder)
        (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    if damage == "config":
        (folder / "config.json").write_text("{")
    if damage == "no config":
        (folder / "config.json").unlink()
    done = cfslurm("models", "size", str(folder), "--gpu", "rtx4090")
    assert "Traceback" not in done.stderr
    if damage == "weights":
        assert done.returncode == 1
        assert "no variant" in done.stdout
        assert "model.safetensors: " in done.stdout
    else:
        assert done.returncode == 2
        assert "try:" in done.stderr


def test_formats(cfslurm: Call) -> None:
    done = cfslurm("models", "formats", "vllm", "--engine-version", "0.11", "--json")
    rules = {row["rule"]["format"]: row["rule"] for row in json.loads(done.stdout)["formats"]}
    assert rules["none"]["nvidia"] == 7.0
    assert rules["gguf"]["source"]
    assert "llamacpp b6000  gguf" in cfslurm("models", "formats").stdout
