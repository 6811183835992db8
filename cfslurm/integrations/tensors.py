"""Tensors of PyTorch, and nested dicts and lists of them, in a session: a model's or optimizer's state.

>>> from cfslurm.integrations.tensors import load_tensors, save_tensors    # doctest: +SKIP
>>> save_tensors(session, "model", model.state_dict())                    # doctest: +SKIP
>>> model.load_state_dict(load_tensors(session, "model"))                 # doctest: +SKIP

PyTorch is needed only where a tensor is met. Numpy arrays need no helper: a session keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cfslurm.node.session import Session

_TENSOR = "torch.Tensor"
# numpy has no such numbers: their bits are kept as integers of the same size.
_AS_BITS = {"bfloat16": "int16"} | {
    name: "uint8" for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
}


def save_tensors(session: Session, key: str, tree: object) -> None:
    """Put tensors under a key: dicts, lists and tuples of them, with numbers and text between.

    Tensors are copied to the CPU now; nothing is on disk before the next checkpoint. A tensor that
    has not changed since the last checkpoint is not written again.

    Raises:
        SessionError: something in the tree is nothing that a session keeps.
    """
    session[key] = _to_arrays(tree)


def load_tensors(session: Session, key: str) -> Any:
    """The tree again, with tensors on the CPU.

    Raises:
        KeyError: nothing is kept under this key.
    """
    return _to_tensors(session[key])


def _to_arrays(tree: object) -> Any:
    if _is_tensor(tree):
        tensor: Any = tree
        dtype = str(tensor.dtype).removeprefix("torch.")
        flat = tensor.detach().cpu().contiguous()
        return {_TENSOR: dtype, "array": _bits(flat, dtype).numpy().copy()}
    if isinstance(tree, Mapping):
        if all(isinstance(key, str) for key in tree):
            return {key: _to_arrays(item) for key, item in tree.items()}
        return {_TENSOR: "dict", "items": [(key, _to_arrays(item)) for key, item in tree.items()]}
    if isinstance(tree, list | tuple):
        return type(tree)([_to_arrays(item) for item in tree])
    return tree


def _to_tensors(tree: Any) -> Any:
    match tree:
        case {"torch.Tensor": "dict", "items": items}:
            return {key: _to_tensors(item) for key, item in items}
        case {"torch.Tensor": str(dtype), "array": array}:
            import torch

            found = torch.from_numpy(array.copy())
            return found.view(getattr(torch, dtype)) if dtype in _AS_BITS else found
        case dict():
            return {key: _to_tensors(item) for key, item in tree.items()}
        case list() | tuple():
            return type(tree)(_to_tensors(item) for item in tree)
        case _:
            return tree


def _bits(tensor: Any, dtype: str) -> Any:
    if dtype not in _AS_BITS:
        return tensor
    import torch

    return tensor.view(getattr(torch, _AS_BITS[dtype]))


def _is_tensor(value: object) -> bool:
    """True for a tensor; PyTorch is not imported for the answer."""
    return any(
        f"{cls.__module__}.{cls.__qualname__}" in ("torch.Tensor", "torch._tensor.Tensor")
        for cls in type(value).__mro__
    )
