"""Tensors on their way to a device, which the host does not wait for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; a copy to a GPU is under way when this returns, one to the host is there."""
    return tensor.to(device, non_blocking=device.type == "cuda")


def sent(values: Any, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """Numbers of the host as a tensor on a device.

    `torch.tensor(values, device=device)` waits until a GPU has done all that it was given before.

    >>> sent([1.0, 0.5], torch.device("cpu"))
    tensor([1.0000, 0.5000])
    """
    tensor = torch.as_tensor(values, dtype=dtype)
    return moved(tensor.pin_memory() if device.type == "cuda" else tensor, device)
