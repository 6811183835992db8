from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.slurm.gres import Gres, read_gres
from cfslurm.core.slurm.tres import gpus_in_tres
from cfslurm.errors import SlurmOutputError


def _gres(name: str, kind: str, count: int, note: str = "") -> Gres:
    return Gres(name=name, type=kind, count=count, note=note)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu:a100:4(S:0-1)", (_gres("gpu", "a100", 4, "S:0-1"),)),
        ("gpu:2", (_gres("gpu", "", 2),)),
        ("gpu", (_gres("gpu", "", 1),)),
        ("gpu:v100:2,gpu:t4:2", (_gres("gpu", "v100", 2), _gres("gpu", "t4", 2))),
        (
            "gpu:a100:2(IDX:0,2),shard:0",
            (_gres("gpu", "a100", 2, "IDX:0,2"), _gres("shard", "", 0)),
        ),
        ("gpu:t4:0(IDX:N/A)", (_gres("gpu", "t4", 0, "IDX:N/A"),)),
        ("shard:l40s:4(4/8,0/8)", (_gres("shard", "l40s", 4, "4/8,0/8"),)),
        ("craynetwork:no_consume:4K", (_gres("craynetwork", "", 4096),)),
        ("gpu:nvidia_a100-sxm4-80gb:8", (_gres("gpu", "nvidia_a100-sxm4-80gb", 8),)),
        ("(null)", ()),
        ("", ()),
    ],
)
def test_read_gres(text: str, expected: tuple[Gres, ...]) -> None:
    assert read_gres(text) == expected


@pytest.mark.parametrize("text", ["gpu:a:b:c:2", "gpu:a100:x", ",gpu:1", "gpu:1)", "gpu:1(("])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(SlurmOutputError, match="not a GRES list"):
        read_gres(text)


def test_gpus_in_tres_keeps_the_untyped_total_apart() -> None:
    assert gpus_in_tres({"cpu": 2, "mem": 2048, "gres/gpu": 2, "gres/gpu:a100": 1}) == {
        "": 2,
        "a100": 1,
    }


@given(st.text(alphabet="gpu:a1,()SIDX-/", max_size=30))
def test_no_text_escapes_the_error_tree(text: str) -> None:
    with contextlib.suppress(SlurmOutputError):
        read_gres(text)
