"""Random generators go on where they were."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from cfslurm.core.session import rng, values
from cfslurm.errors import SessionError

KINDS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_generator_goes_on(kind: Any) -> None:
    first = np.random.Generator(kind(7))
    first.standard_normal(5)
    first.integers(10, size=3, dtype=np.uint32)  # leaves half a 64-bit number over
    saved = values.from_bytes(values.to_bytes(rng.state_of(first, name="r")))
    second = np.random.Generator(kind(8))
    rng.restore(second, saved, name="r")
    assert first.random(100).tobytes() == second.random(100).tobytes()
    assert first.integers(10, size=9, dtype=np.uint32).tolist() == (
        second.integers(10, size=9, dtype=np.uint32).tolist()
    )


def test_python_generator_goes_on() -> None:
    first = random.Random(7)
    first.gauss(0, 1)
    saved = values.from_bytes(values.to_bytes(rng.state_of(first, name="r")))
    second = random.Random(8)
    rng.restore(second, saved, name="r")
    assert [first.gauss(0, 1) for _ in range(9)] == [second.gauss(0, 1) for _ in range(9)]


def test_state_of_another_kind_is_refused() -> None:
    python = rng.state_of(random.Random(1), name="r")
    numpy = rng.state_of(np.random.default_rng(1), name="r")
    for generator, saved in (
        (np.random.default_rng(1), python),
        (random.Random(1), numpy),
        (np.random.Generator(np.random.Philox(1)), numpy),
        (random.Random(1), {"kind": "random.Random", "state": 5}),
        (random.Random(1), None),
    ):
        with pytest.raises(SessionError, match="does not fit"):
            rng.restore(generator, saved, name="r")


@pytest.mark.parametrize("generator", [random.SystemRandom(), random, object(), None])
def test_what_is_no_generator_is_refused(generator: Any) -> None:
    with pytest.raises(SessionError, match="no generator"):
        rng.kind_of(generator)


def test_generator_of_pytorch_goes_on() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    first = torch.Generator().manual_seed(7)
    torch.rand(5, generator=first)
    saved = values.from_bytes(values.to_bytes(rng.state_of(first, name="r")))
    second = torch.Generator().manual_seed(8)
    rng.restore(second, saved, name="r")
    assert torch.equal(torch.rand(9, generator=first), torch.rand(9, generator=second))
    with pytest.raises(SessionError, match="does not fit"):
        rng.restore(second, {"kind": "torch.Generator", "state": [1]}, name="r")
