"""Attention within unpadded rows on a GPU."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def attend(
    query: Tensor, key: Tensor, value: Tensor, layout: Any, *, dropout: float, scaling: float, window: int | None = None
) -> Tensor:
    """Attention `[M, heads, width]` of each row's tokens to that row's alone."""
    raise NotImplementedError
