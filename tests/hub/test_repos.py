"""The made-up repositories are real: other programs read them, and their sizes are in proportion."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors import safe_open

from tests.hub.content import read_all
from tests.hub.repos import main, make_repo, make_set
from tests.hub.shapes import kept, linears
from tests.hub.specs import DEMO, SETS, TESTS, RepoSpec

pytest_plugins = ("tests.hub.fixtures",)

MIB = 1 << 20


def spec_of(repo_id: str) -> RepoSpec:
    return next(spec for spec in (*TESTS, *DEMO) if spec.repo_id == repo_id)


def header(path: Path) -> dict[str, dict[str, object]]:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    found: dict[str, dict[str, object]] = json.loads(data[8 : 8 + size])
    found.pop("__metadata__")
    return found


def bf16(raw: bytes) -> np.ndarray:
    return (np.frombuffer(raw, dtype=np.uint16).astype(np.uint32) << 16).view(np.float32)


def test_a_set_is_the_same_on_every_machine(hub_root: Path, tmp_path: Path) -> None:
    make_set(tmp_path, "tests")
    ours, theirs = read_all(tmp_path), read_all(hub_root)
    assert {name: ours[name].commit for name in ours} == {
        name: theirs[name].commit for name in theirs
    }


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--set", "tests"]) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert main([str(tmp_path), "--set", "tests"]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_changed_spec_is_written_anew(tmp_path: Path) -> None:
    spec = spec_of("acme/old")
    folder = make_repo(tmp_path, spec)
    (folder / ".made.json").write_text("of an older generator")
    (folder / "README.md").unlink()
    assert (make_repo(tmp_path, spec) / "README.md").is_file()


@pytest.mark.parametrize("repo_id", ["acme/tiny-FP8", "quantco/tiny-AWQ", "quantco/tiny-GPTQ"])
def test_safetensors_reads_every_tensor_name(hub_root: Path, repo_id: str) -> None:
    with safe_open(hub_root / repo_id / "model.safetensors", framework="np") as file:
        names = set(file.keys())
    shape = spec_of(repo_id).shape
    assert {name for name, _ in kept(shape)} <= names
    suffix = {"acme/tiny-FP8": "weight"}.get(repo_id, "qweight")
    assert {f"{linear.name}.{suffix}" for linear in linears(shape)} <= names


def test_index_names_the_shard_of_every_tensor(hub_root: Path) -> None:
    folder = hub_root / "acme/tiny"
    weight_map = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    for shard in set(weight_map.values()):
        assert set(header(folder / shard)) == {
            name for name, file in weight_map.items() if file == shard
        }


def test_tensors_have_the_shapes_of_the_config(hub_root: Path) -> None:
    config = json.loads((hub_root / "acme/tiny-FP8/config.json").read_text())
    tensors = header(hub_root / "acme/tiny-FP8/model.safetensors")
    hidden, width = config["hidden_size"], config["num_attention_heads"] * config["head_dim"]
    narrow = config["num_key_value_heads"] * config["head_dim"]
    layer = "model.layers.0"
    assert tensors["model.embed_tokens.weight"]["shape"] == [config["vocab_size"], hidden]
    assert tensors[f"{layer}.self_attn.q_proj.weight"]["shape"] == [width, hidden]
    assert tensors[f"{layer}.self_attn.k_proj.weight"]["shape"] == [narrow, hidden]
    expert = f"{layer}.block_sparse_moe.experts.0.w1.weight"
    assert tensors[expert]["shape"] == [config["intermediate_size"], hidden]
    assert tensors[expert]["dtype"] == "F8_E4M3"


def test_bf16_numbers_are_small_and_finite(hub_root: Path) -> None:
    path = hub_root / "acme/tiny/model-00001-of-00002.safetensors"
    begin, end = header(path)["lm_head.weight"]["data_offsets"]
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    numbers = np.abs(bf16(data[start + begin : start + end]))
    assert numbers.min() >= 2**-7
    assert numbers.max() < 2**-5


def test_fp8_bytes_are_never_nan(hub_root: Path) -> None:
    path = hub_root / "acme/tiny-FP8/model.safetensors"
    data = path.read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    for tensor in header(path).values():
        if tensor["dtype"] == "F8_E4M3":
            begin, end = tensor["data_offsets"]
            raw = np.frombuffer(data[start + begin : start + end], dtype=np.uint8)
            assert not np.any((raw & 0x7F) == 0x7F)


@pytest.mark.parametrize(("kind", "shape"), [("AWQ", (128, 128 // 8)), ("GPTQ", (128 // 8, 128))])
def test_eight_numbers_are_packed_into_an_int32(
    hub_root: Path, kind: str, shape: tuple[int, int]
) -> None:
    name = "model.layers.0.self_attn.q_proj"
    path = hub_root / f"quantco/tiny-{kind}/model.safetensors"
    with safe_open(path, framework="np") as file:
        assert file.get_tensor(f"{name}.qweight").shape == shape
        assert np.all(file.get_tensor(f"{name}.scales") == np.float16(2**-9))


@pytest.mark.parametrize(
    "name", ["tiny-Q8_0", "tiny-Q4_K_M", "Q5_0/tiny-Q5_0-00001-of-00002", "mmproj-F16"]
)
def test_gguf_reads_every_file(hub_root: Path, name: str) -> None:
    reader = gguf.GGUFReader(hub_root / f"quantco/tiny-GGUF/{name}.gguf")
    assert reader.tensors


@pytest.mark.parametrize("name", ["tiny-Q8_0", "tiny-Q4_K_M"])
def test_gguf_numbers_are_small_and_finite(hub_root: Path, name: str) -> None:
    reader = gguf.GGUFReader(hub_root / f"quantco/tiny-GGUF/{name}.gguf")
    for tensor in reader.tensors:
        numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.all(np.abs(numbers) < 0.1)


def test_parts_of_a_split_file_hold_all_tensors(hub_root: Path) -> None:
    folder = hub_root / "quantco/tiny-GGUF"
    whole = {tensor.name for tensor in gguf.GGUFReader(folder / "tiny-Q8_0.gguf").tensors}
    parts = [gguf.GGUFReader(path) for path in sorted((folder / "Q5_0").iterdir())]
    assert {tensor.name for part in parts for tensor in part.tensors} == whole
    assert [part.fields["split.no"].contents() for part in parts] == [0, 1]


def weights_bytes(root: Path, repo_id: str, pattern: str) -> int:
    return sum(path.stat().st_size for path in (root / repo_id).glob(pattern))


@pytest.mark.parametrize("name", ["judge-20b", "atlas-30b", "vision-8b", "coder-15b"])
def test_quantized_sizes_are_in_proportion(demo_root: Path, name: str) -> None:
    full = weights_bytes(demo_root, f"lab/{name}", "model*.safetensors")
    fp8 = weights_bytes(demo_root, f"lab/{name}-FP8", "*.safetensors")
    awq = weights_bytes(demo_root, f"quantlab/{name}-AWQ", "*.safetensors")
    gptq = weights_bytes(demo_root, f"quantlab/{name}-GPTQ", "*.safetensors")
    q4 = weights_bytes(demo_root, f"quantlab/{name}-GGUF", f"{name}-Q4_K_M.gguf")
    q8 = weights_bytes(demo_root, f"quantlab/{name}-GGUF", f"{name}-Q8_0-*.gguf")
    assert 0.50 < fp8 / full < 0.54
    assert 0.26 < awq / full < 0.30
    assert 0.27 < gptq / full < 0.31
    assert 0.28 < q4 / full < 0.34
    assert 0.52 < q8 / full < 0.55


def test_the_demo_is_small_enough_for_a_laptop(demo_root: Path) -> None:
    size = sum(path.stat().st_size for path in demo_root.rglob("*") if path.is_file())
    assert size < 450 * MIB


def test_ids_are_unique() -> None:
    for specs in SETS.values():
        assert len({spec.repo_id for spec in specs}) == len(specs)
