"""`Late`: a step's number, read by the host a step later, so that it never waits for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Late:
    """Holds one number of a step until the next one brings its own.

    Reading a number at once leaves a GPU without work until the host has queued the next kernels. A step later it has
    long been copied to the host, in memory that the copy fills by itself.
    """

    def __init__(self) -> None:
        self._held: tuple[Tensor, Any, Any] | None = None  # on the host, when the copy is done, and what came with it

    def swap(self, number: Tensor, about: Any = None) -> tuple[float, Any] | None:
        """Take a number of this step; returns the one before, with what came with it, or nothing at first."""
        before = self.last()
        if number.is_cuda:
            copy = torch.empty(number.shape, dtype=number.dtype, pin_memory=True)
            copy.copy_(number.detach(), non_blocking=True)
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record()
            self._held = (copy, done, about)
        else:
            self._held = (number.detach().clone(), None, about)
        return before

    def last(self) -> tuple[float, Any] | None:
        """The number that is held, which waits for its step if that is not done; it is held no longer."""
        if self._held is None:
            return None
        copy, done, about = self._held
        self._held = None
        if done is not None:
            done.synchronize()
        return float(copy), about
