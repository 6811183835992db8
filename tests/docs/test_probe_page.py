"""docs/reference/probe.md tells every field of a probe's answer, and no other."""

from __future__ import annotations

from dataclasses import fields

import pytest

from cfslurm.core.hardware import probe
from tests.docs.pages import DOCS, code, rows, sections

_SECTIONS = {
    "The node": (probe.NodeProbe,),
    "All GPUs": (probe.GpuReport,),
    "A GPU": (probe.ProbedGpu,),
    "A link": (probe.GpuLink,),
    "The machine": (probe.MachineReport,),
    "A local folder": (probe.Scratch,),
    "A network interface": (probe.Interface,),
}
_INSIDE = {
    "A GPU": (probe.MigInstance, probe.Pcie, probe.Ecc, probe.Clocks, probe.Power, probe.Use),
    "The machine": (probe.Hugepages,),
}


@pytest.mark.parametrize("heading", _SECTIONS)
def test_every_key_is_told(heading: str) -> None:
    text = sections(DOCS / "reference" / "probe.md")[heading]
    told = {word for row in rows(text) for word in code(row[0])}
    assert told == {field.name for kind in _SECTIONS[heading] for field in fields(kind)}
    for kind in _INSIDE.get(heading, ()):
        assert {field.name for field in fields(kind)} <= set(code(text)), kind.__name__
