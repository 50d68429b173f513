"""TF32 is for GPUs: on a CPU the same call would change how oneDNN computes."""

from __future__ import annotations

import pytest
import torch

from clir_lightning.scoring.tensor_cores import use_tensor_cores


def test_a_gpu_is_told_and_a_cpu_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", told.append)
    use_tensor_cores(torch.device("cpu"))
    assert told == []
    use_tensor_cores(torch.device("cuda:1"))
    assert told == ["high"]
