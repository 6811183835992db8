"""Repositories that are broken on purpose: each is said, and the others are still found."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from cfslurm.adapters.hub import HuggingFaceHub
from cfslurm.core.models.variants import CatalogEntry
from cfslurm.core.workflow.model import Model
from cfslurm.stages.catalogue import Sources, discover
from tests.hub.fake import FakeClock, shipped_standards
from tests.hub.repos import make_repo
from tests.hub.server import HubServer, serving
from tests.hub.shapes import Shape, config
from tests.hub.specs import Gguf, RepoSpec

pytest_plugins = ("tests.hub.fixtures",)

SHAPE = Shape(layers=1, experts=2, vocab=320)
CHILD = RepoSpec(repo_id="", shape=SHAPE, base="acme/base", form="empty", downloads=1)
FP8 = {"quantization_config": {"quant_method": "fp8"}}


def shaped(**changes: object) -> str:
    return json.dumps({**config(SHAPE), **FP8, **changes})


def safetensors(header: bytes, *, length: int | None = None, data: int = 0) -> str:
    text = struct.pack("<Q", len(header) if length is None else length) + header + bytes(data)
    return text.decode("latin-1")


def tensors(**offsets: tuple[int, int]) -> bytes:
    return json.dumps(
        {
            name: {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
            for name, (begin, end) in offsets.items()
        }
    ).encode()


def gguf(version: int = 3, count: int = 0, rest: bytes = b"") -> str:
    return (b"GGUF" + struct.pack("<IQQ", version, 0, count) + rest + bytes(64)).decode("latin-1")


GOOD = safetensors(tensors(a=(0, 8)), data=8)
_KEY = struct.pack("<Q", 1) + b"k"

# Name of the repository, its files, what is said of it.
HOSTILE: Mapping[str, tuple[dict[str, str], str]] = {
    "no-layers": (
        {"config.json": shaped(num_hidden_layers=None), "model.safetensors": GOOD},
        "has no num_hidden_layers",
    ),
    "endless-layers": (
        {"config.json": shaped(num_hidden_layers=2**63), "model.safetensors": GOOD},
        "has an impossible num_hidden_layers: 9223372036854775808",
    ),
    "negative-heads": (
        {"config.json": shaped(num_attention_heads=-4), "model.safetensors": GOOD},
        "has an impossible num_attention_heads",
    ),
    "html-config": (
        {"config.json": "<html>please log in</html>", "model.safetensors": GOOD},
        "is no JSON that can be read",
    ),
    "deep-config": ({"config.json": "[" * 99_999, "model.safetensors": GOOD}, "is no JSON"),
    "list-config": ({"config.json": "[]", "model.safetensors": GOOD}, "it has no config.json"),
    "long-header": (
        {"config.json": shaped(), "model.safetensors": safetensors(b"{}", length=1 << 32)},
        "claims 4294967296 bytes",
    ),
    "overlap": (
        {
            "config.json": shaped(),
            "model.safetensors": safetensors(tensors(a=(0, 8), b=(4, 12)), data=12),
        },
        "overlaps the one before",
    ),
    "outside": (
        {"config.json": shaped(), "model.safetensors": safetensors(tensors(a=(0, 99)), data=8)},
        "places 99 bytes of tensors, the file has 8",
    ),
    "twice": (
        {"config.json": shaped(), "model.safetensors": safetensors(b'{"a": {}, "a": {}}')},
        "has the same key twice",
    ),
    "shard-missing": (
        {
            "config.json": shaped(),
            "model.safetensors.index.json": '{"weight_map": {"a": "model-1.safetensors"}}',
            "model.safetensors": GOOD,
        },
        "which the repository lacks",
    ),
    "shard-outside": (
        {
            "config.json": shaped(),
            "model.safetensors.index.json": '{"weight_map": {"a": "../../x.safetensors"}}',
            "model.safetensors": GOOD,
        },
        "which is no safetensors file",
    ),
    "gguf-html": ({"x-Q8_0.gguf": "<html></html>" * 9}, "does not begin with GGUF"),
    "gguf-old": ({"x-Q8_0.gguf": gguf(version=1)}, "is of version 1"),
    "gguf-big-endian": ({"x-Q8_0.gguf": gguf(version=3 << 24)}, "is big-endian"),
    "gguf-endless-text": (
        {"x-Q8_0.gguf": gguf(count=1, rest=_KEY + struct.pack("<IQ", 8, 1 << 60))},
        "has a text of 1152921504606846976 bytes",
    ),
    "gguf-huge-array": (
        {"x-Q8_0.gguf": gguf(count=1, rest=_KEY + struct.pack("<IIQ", 9, 4, 1 << 40))},
        "has an array of 1099511627776 elements",
    ),
    "gguf-keys": ({"x-Q8_0.gguf": gguf(count=1 << 50)}, "1125899906842624 keys"),
    "gguf-cut": ({"x-Q8_0.gguf": gguf(count=9)[:30]}, "does not end within the file's 30 bytes"),
    "gguf-empty": ({"x-Q8_0.gguf": ""}, "does not end within the file's 0 bytes"),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    root = tmp_path_factory.mktemp("hostile")
    make_repo(root, RepoSpec(repo_id="acme/base", shape=SHAPE))
    make_repo(root, replace(CHILD, repo_id="good/base-FP8", form="fp8"))
    make_repo(
        root, replace(CHILD, repo_id="good/base-GGUF", form="gguf", gguf=(Gguf(label="Q8_0"),))
    )
    for name, (files, _) in HOSTILE.items():
        without = () if "config.json" in files else ("config.json",)
        make_repo(root, replace(CHILD, repo_id=f"evil/{name}", extra=files, without=without))
    with serving(root) as server:
        yield server


@pytest.fixture(scope="module")
def found(hostile: HubServer) -> CatalogEntry:
    catalog = discover(
        {"m": Model(repo="acme/base")},
        sources=Sources(
            hub=HuggingFaceHub(hostile.endpoint), clock=FakeClock(), progress=lambda text: None
        ),
        standards=shipped_standards(),
        discovered_at="",
    )
    return catalog.models["m"]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_broken_is_said(found: CatalogEntry, name: str) -> None:
    _, expected = HOSTILE[name]
    (reason,) = (r.reason for r in found.rejected if r.repo_id == f"evil/{name}")
    assert expected in reason
    assert reason.isprintable()


def test_the_others_are_found(found: CatalogEntry) -> None:
    assert [variant.id for variant in found.variants] == [
        "acme/base@none",
        "good/base-GGUF@gguf:Q8_0",
        "good/base-FP8@fp8",
    ]
