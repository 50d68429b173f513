"""Cheap computations with large intermediate tensors, done again for their gradients instead of kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable[..., Tensor], *arguments: Any) -> Tensor:
    """`function(*arguments)`, of which gradients keep nothing but the arguments; it must not draw random numbers."""
    if not torch.is_grad_enabled():
        return function(*arguments)
    found: Tensor = checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)
    return found
