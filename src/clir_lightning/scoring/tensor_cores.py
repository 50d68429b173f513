"""TF32: how a GPU computes products of 32-bit numbers."""

from __future__ import annotations

import torch


def use_tensor_cores(device: torch.device) -> None:
    """Let a GPU's tensor cores compute products of 32-bit numbers, several times faster; nothing changes on a CPU.

    They read the factors with 10 bits behind the point, as half precision has (TF32), and add in 32 bits.
    `torch.set_float32_matmul_precision("highest")` after it takes it back.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
