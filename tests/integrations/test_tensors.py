"""PyTorch's tensors in a session; runs where PyTorch is installed (`pip install torch`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cfslurm import Session
from cfslurm.errors import SessionError
from cfslurm.integrations.tensors import load_tensors, save_tensors


def over_a_restart(tree: object, folder: Path) -> Any:
    with Session.open("agent", directory=folder, signals=False) as session:
        save_tensors(session, "model", tree)
    with Session.open("agent", directory=folder, signals=False) as session:
        return load_tensors(session, "model")


def test_a_model_and_its_optimizer_train_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

    def make() -> tuple[Any, Any]:
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 3).to(torch.bfloat16)
        return model, torch.optim.AdamW(model.parameters())

    def train(model: Any, optimizer: Any, steps: int) -> None:
        for step in range(steps):
            optimizer.zero_grad()
            model(torch.full((4,), step + 1.0, dtype=torch.bfloat16)).square().sum().backward()
            optimizer.step()

    whole, optimizer = make()
    train(whole, optimizer, 3)
    saved = over_a_restart({"m": whole.state_dict(), "o": optimizer.state_dict()}, tmp_path)
    train(whole, optimizer, 3)
    resumed, again = make()
    resumed.load_state_dict(saved["m"])
    again.load_state_dict(saved["o"])
    train(resumed, again, 3)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


@pytest.mark.parametrize(
    "name", ["float64", "float16", "bfloat16", "float8_e4m3fn", "int64", "bool", "complex64"]
)
def test_every_dtype_comes_back(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    tensor = torch.arange(6).reshape(2, 3).to(getattr(torch, name))
    found = over_a_restart([tensor.t(), {1: tensor[0, 0]}], tmp_path)
    assert found[0].dtype == tensor.dtype
    assert torch.equal(found[0].to(torch.complex64), tensor.t().to(torch.complex64))
    assert found[1][1].shape == ()


def test_numpy_arrays_and_numbers_pass_through(tmp_path: Path) -> None:
    tree = {"a": np.arange(3), "b": (1, "two", None)}
    found = over_a_restart(tree, tmp_path)
    assert np.array_equal(found["a"], tree["a"])
    assert found["b"] == tree["b"]


def test_what_no_session_keeps_is_refused(tmp_path: Path) -> None:
    with Session.open("agent", directory=tmp_path, signals=False) as session:
        with pytest.raises(SessionError):
            save_tensors(session, "model", {"f": print})
        assert "model" not in session


def test_pytorch_is_not_imported_without_a_tensor() -> None:
    code = "import sys, cfslurm.integrations.tensors as t; t._to_arrays({}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
