"""Whatever a driver refuses, in any combination: an answer comes, and nothing refused becomes a number."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cfslurm.adapters.nvml import open_nvml
from cfslurm.adapters.nvml_gpus import read_gpus
from cfslurm.adapters.validated import adapter
from cfslurm.core.documents import to_json
from cfslurm.core.hardware.graph import Node
from cfslurm.core.hardware.probe import GpuReport, NodeProbe, NotKnown
from cfslurm.core.hardware.probed import GpuNames, with_probes
from tests.builders import CATALOGUE, graph, node
from tests.fakenvml import NEW, OLD, PROFILES, build
from tests.probes import node_probe

_CODES = (1, 2, 3, 4, 6, 7, 9, 13, 15, 16, 18, 21, 25, 29, 999)
_KEYS = sorted(
    {
        line.partition("=")[0].strip()
        for path in PROFILES.glob("*.txt")
        for line in path.read_text().splitlines()
        if "=" in line and not line.startswith("#")
    }
)
# What a broken driver might say in place of a number or a name.
_ODD = st.sampled_from(
    ["0", "-1", "4294967295", "18446744073709551615", "", "\x01\x02", "é" * 40, "!0"]
)


@pytest.fixture(scope="module", params=[NEW, OLD])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The real pynvml on our library, in this process."""
    import pynvml

    kind = str(request.param)
    path = build(tmp_path_factory.mktemp("nvml"), kind) / "libnvidia-ml.so.1"
    before = pynvml.nvmlLib
    pynvml._nvmlGetFunctionPointer_cache.clear()
    pynvml.nvmlLib = ctypes.CDLL(str(path))
    yield
    pynvml.nvmlLib = before
    pynvml._nvmlGetFunctionPointer_cache.clear()


@pytest.mark.usefixtures("library")
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    machine=st.sampled_from(sorted(PROFILES.glob("*.txt"))),
    faults=st.dictionaries(
        st.sampled_from(_KEYS),
        st.one_of(st.sampled_from(_CODES).map(lambda code: f"!{code}"), _ODD),
        max_size=12,
    ),
)
@example(machine=PROFILES / "dgx-a100-mig.txt", faults={"gpu.7.mig.0.multiprocessors": "-1"})
def test_any_faults_cost_only_their_facts(
    machine: Path,
    faults: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = tmp_path / "machine.txt"
    lines = "".join(f"{key} = {value}\n" for key, value in faults.items())
    described.write_text(machine.read_text() + lines)
    monkeypatch.setenv("FAKENVML", str(described))
    with open_nvml() as nvml:
        assert not isinstance(nvml, NotKnown)
        report = read_gpus(nvml, node="n1", system=tmp_path)
    # It survives the file, and the graph that it is joined to.
    text = json.dumps(to_json(report))
    assert adapter(GpuReport | NotKnown).validate_json(text) == report
    assert "\x01" not in text
    _refused_is_not_known(report)
    _join(report)


def _refused_is_not_known(report: GpuReport | NotKnown) -> None:
    if isinstance(report, NotKnown):
        assert report.not_known
        return
    assert len(report.links) == len(report.gpus) * (len(report.gpus) - 1) // 2
    for gpu in report.gpus:
        assert isinstance(gpu.memory_mib, NotKnown) or 0 < gpu.memory_mib < 2**24
    for fact in _leaves(report):
        assert fact not in ("", 2**32 - 1, 2**64 - 1)
        if isinstance(fact, NotKnown):
            assert fact.not_known


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, NotKnown) or not (is_dataclass(value) or isinstance(value, tuple)):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _leaves(item)
    else:
        for field in fields(value):
            yield from _leaves(getattr(value, field.name))


def _join(report: GpuReport | NotKnown) -> None:
    answer: NodeProbe = node_probe("n0")
    whole = NodeProbe(
        node="n0", probed_at=answer.probed_at, gpus_asked=4, gpu=report, machine=answer.machine,
        scratch=answer.scratch, network=answer.network,
    )  # fmt: skip
    nodes: tuple[Node, ...] = graph([node("n0", "gpu:a100:2,gpu:l4:2")]).nodes
    names = GpuNames(catalogue=CATALOGUE, overrides={})
    joined, _ = with_probes(nodes, {"n0": whole}, names)
    assert all(one.facts.memory_mib > 0 for one in joined[0].gpus)
