"""Where a training step would have the host wait for a GPU, found on a CPU.

What reads a tensor's numbers, or makes a tensor on a device of numbers of the host, waits for all that the device was
given before. Numbers of the host are tuples and NumPy arrays here, so that every tensor counts as a device's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

READS = {"item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__", "nonzero", "equal"}
READS |= {"is_nonzero", "allclose", "masked_select", "unique", "new_tensor", "__contains__", "__format__", "__repr__"}
KERNELS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2", "aten::equal"}
INDEXING = {"aten::index.Tensor", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}

# Not on the device, or read when it is there: batches before they are moved, the optimiser's number of steps, which
# torch keeps on the host, and numbers that a copy brought a step before.
ELSEWHERE = ("/torch/utils/data/", "/clir_lightning/lightning/late.py")
OPTIMISER = "/torch/optim/"


def _reads(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    """Whether an operation of torch's reads numbers of the device."""
    if name in INDEXING:  # a mask is turned into places
        return any(isinstance(at, Tensor) and at.dtype == torch.bool for at in arguments[1] or ())
    if name == "aten::repeat_interleave.Tensor":
        return keywords.get("output_size") is None
    return name in KERNELS


class HostReads:
    """What was found, as `step, operation, place`; `step` is what `at` was set to."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.found: list[tuple[int, str, str]] = []
        self._inside = False

    def note(self, name: str) -> None:
        """Keep a read, unless it is of what does not lie on the device."""
        if self.at is None or self._inside:
            return
        frames = [place for place in _frames() if __file__ not in place]
        inner = list(
            takewhile(lambda place: "/torch/" in place, frames)
        )  # a step's losses are computed within `step()`
        hidden = any(OPTIMISER in place for place in inner) or any(part in at for part in ELSEWHERE for at in frames)
        if not hidden:
            self.found.append((self.at, name, frames[len(inner)]))

    @contextmanager
    def within(self) -> Iterator[None]:
        """What one read consists of is not counted again."""
        before, self._inside = self._inside, True
        try:
            yield
        finally:
            self._inside = before

    @contextmanager
    def watch(self) -> Iterator[HostReads]:
        """Look at all that is computed in here."""
        with _Functions(self), _Operations(self):
            yield self


def _frames() -> Iterator[str]:
    """Files and lines, the innermost first."""
    frame = sys._getframe(1)
    while frame is not None:
        yield f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]


class _Functions(TorchFunctionMode):
    """Sees methods of tensors, some of which read a CPU's memory without an operation."""

    def __init__(self, reads: HostReads) -> None:
        super().__init__()
        self.reads = reads

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        name = getattr(func, "__name__", "")
        made = name in ("tensor", "as_tensor") and keywords.get("device") is not None
        if not made and name not in READS:
            return func(*args, **keywords)
        self.reads.note(name)
        with self.reads.within():
            return func(*args, **keywords)


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees operations, those of gradients too."""

    def __init__(self, reads: HostReads) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.reads = reads

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        if _reads(func.name(), args, keywords):
            self.reads.note(func.name())
        return func(*args, **keywords)
