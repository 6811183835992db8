"""Random generators in a session: their state as a value, so that a resumed run draws the same."""

from __future__ import annotations

from typing import Any

from cfslurm.core.documents import Json
from cfslurm.core.session import values
from cfslurm.errors import SessionError

_PYTHON = "random.Random"
_NUMPY = "numpy.random.Generator"


def kind_of(generator: object) -> str:
    """Which kind of generator this is.

    Raises:
        SessionError: neither a numpy Generator nor a random.Random.
    """
    if hasattr(generator, "bit_generator"):
        return _NUMPY
    names = {f"{base.__module__}.{base.__name__}" for base in type(generator).__mro__}
    if _PYTHON in names and "random.SystemRandom" not in names:
        return _PYTHON
    raise SessionError(
        f"{type(generator).__qualname__} is no generator whose state can be saved",
        remedy="Register numpy.random.default_rng(seed) or random.Random(seed).",
    )


def state_of(generator: Any, *, name: str) -> Json:
    """The generator's state, encoded."""
    kind = kind_of(generator)
    state = generator.bit_generator.state if kind == _NUMPY else generator.getstate()
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
                if kind == _NUMPY:
                    generator.bit_generator.state = state
                else:
                    generator.setstate(state)
            except (TypeError, ValueError, KeyError) as error:
                problem = str(error)
            else:
                return
    raise SessionError(
        f"the saved state of generator {name!r} does not fit a {kind}: {problem}",
        remedy="Register the same kind of generator under this name, or use another name.",
    )
