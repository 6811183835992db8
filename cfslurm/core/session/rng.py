"""Random generators in a session: their state as a value, so that a resumed run draws the same."""

from __future__ import annotations

from typing import Any

from cfslurm.core.documents import Json
from cfslurm.core.session import values
from cfslurm.errors import SessionError

_PYTHON = "random.Random"
_NUMPY = "numpy.random.Generator"
_TORCH = "torch.Generator"


def kind_of(generator: object) -> str:
    """Which kind of generator this is.

    Raises:
        SessionError: none of numpy, PyTorch or `random`.
    """
    if hasattr(generator, "bit_generator"):
        return _NUMPY
    names = {f"{base.__module__}.{base.__name__}" for base in type(generator).__mro__}
    if _PYTHON in names and "random.SystemRandom" not in names:
        return _PYTHON
    if names & {_TORCH, "torch._C.Generator"}:
        return _TORCH
    raise SessionError(
        f"{type(generator).__qualname__} is no generator whose state can be saved",
        remedy="Register numpy.random.default_rng(seed), random.Random(seed) or a torch.Generator "
        "(PyTorch's own is torch.default_generator).",
    )


def state_of(generator: Any, *, name: str) -> Json:
    """The generator's state, encoded."""
    kind = kind_of(generator)
    if kind == _NUMPY:
        state = generator.bit_generator.state
    elif kind == _TORCH:
        state = generator.get_state().numpy()
    else:
        state = generator.getstate()
    return {"kind": kind, "state": values.encode(state, name=f"generator {name}")}


def restore(generator: Any, saved: Json, *, name: str) -> None:
    """Put a generator into a saved state.

    Raises:
        SessionError: the state is of another kind of generator, or cannot be taken.
    """
    kind = kind_of(generator)
    problem = "another kind of generator"
    match saved:
        case {"kind": str(saved_kind), "state": tree} if saved_kind == kind:
            state = values.decode(tree)
            try:
                _put(generator, kind, state)
            except (TypeError, ValueError, KeyError, RuntimeError) as error:
                problem = str(error)
            else:
                return
    raise SessionError(
        f"the saved state of generator {name!r} does not fit a {kind}: {problem}",
        remedy="Register the same kind of generator under this name, or use another name.",
    )


def _put(generator: Any, kind: str, state: Any) -> None:
    if kind == _NUMPY:
        generator.bit_generator.state = state
    elif kind == _TORCH:
        tensor = generator.get_state()  # a new one on the CPU; its array is the same memory
        memory = tensor.numpy()
        if not isinstance(state, type(memory)) or state.shape != memory.shape:
            raise ValueError("it is of another device or version of PyTorch")
        memory[:] = state
        generator.set_state(tensor)
    else:
        generator.setstate(state)
