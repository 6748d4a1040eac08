"""A device beside the CPU: CUDA where there is one, otherwise an imitation of it.

The imitation computes on the CPU and keeps tensors apart as CUDA does: what was not moved there cannot be computed with
what was, nor become an array before it comes back. It goes by the name of torch's device without memory, "meta", whose
tensors have autograd and no kernels of their own.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

IMITATED = "meta"
MOVES = {"_to_copy", "copy_"}
INDEXES = {"index", "index_put", "index_put_", "_index_put_impl_"}
"""Operators on a tensor whose indices may be on the CPU, wherever it is itself, as with CUDA."""


class Apart(Tensor):
    """A tensor on the imitated device."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Apart":
        layout = torch.sparse_coo if inner.layout is torch.sparse_coo else torch.strided
        how = {"dtype": inner.dtype, "layout": layout, "device": IMITATED}
        if inner.layout is torch.strided:
            how |= {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        apart = torch.Tensor._make_wrapper_subclass(cls, inner.size(), **how)
        apart.inner = inner
        return apart

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


class _Imitation(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():  # which hands over operators made of others
            with torch.inference_mode(False), torch.no_grad(), self:
                return func(*args, **kwargs)
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:
                return func.decompose(*args, **kwargs)
        return _compute(func, args, kwargs)


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operator on what lies behind the tensors; its result is where theirs are, or where `device` says."""
    name, device = func.overloadpacket.__name__, kwargs.get("device")
    flat, spec = tree_flatten((args, kwargs))
    apart = [one for one in flat if isinstance(one, Apart)]
    meeting = {id(one): isinstance(one, Apart) for one in flat if isinstance(one, Tensor) and one.dim()}
    if name in INDEXES and not all(isinstance(index, Apart) for index in args[1]):
        meeting = {key: value for key, value in meeting.items() if key not in {id(index) for index in args[1]}}
    assert name in MOVES or len(set(meeting.values())) < 2, f"{func} of tensors on two devices"
    if device is not None:
        there = torch.device(device).type == IMITATED
    else:
        there = isinstance(args[0], Apart) if name in MOVES | INDEXES else bool(apart)
    args, kwargs = tree_unflatten([one.inner if isinstance(one, Apart) else one for one in flat], spec)
    if device is not None:
        kwargs["device"] = torch.device("cpu")
    same = {id(one.inner): one for one in apart}  # in place: what came in goes out

    def put(one: Any) -> Any:
        if not there or not isinstance(one, Tensor):
            return one
        return same[id(one)] if id(one) in same else Apart(one)

    return tree_map(put, func(*args, **kwargs))


@contextmanager
def device() -> Iterator[str]:
    """The name to give to models."""
    if torch.cuda.is_available():
        yield "cuda"
        return
    fused = [*optimizer._get_fused_kernels_supported_devices(), IMITATED]
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings(), _Imitation():
        patched.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: fused)
        warnings.filterwarnings("ignore", "for .* copying from a non-meta parameter", UserWarning)  # it does copy
        yield IMITATED
