"""What goes to a GPU is copied from pinned memory without a wait; on a CPU nothing is copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clir_lightning.data.tokens.transfer import moved, sent

CPU = torch.device("cpu")


def test_nothing_is_copied_on_a_cpu() -> None:
    tensor = torch.ones(2)
    assert moved(tensor, CPU) is tensor


def test_numbers_of_the_host_keep_their_kind_or_get_one() -> None:
    assert sent(np.array([3, 1]), CPU).dtype == torch.int64
    assert sent([3, 1], CPU, torch.float).tolist() == [3.0, 1.0]


def test_a_gpu_copies_from_pinned_memory_while_the_host_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU does is for `make gpu-check`; here, what is asked of it."""
    asked: list[Any] = []

    def pinned(self: Tensor) -> Tensor:
        asked.append("pinned")
        return self

    def to(self: Tensor, device: torch.device, non_blocking: bool = False) -> Tensor:
        asked.append((device.type, non_blocking))
        return self

    monkeypatch.setattr(Tensor, "pin_memory", pinned)
    monkeypatch.setattr(Tensor, "to", to)
    sent([1.0], torch.device("cuda"))
    moved(torch.ones(2), CPU)
    assert asked == ["pinned", ("cuda", True), ("cpu", False)]
