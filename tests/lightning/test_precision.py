"""`precision: mixed` on hardware with and without it."""

from __future__ import annotations

import pytest
import torch

from clir_lightning.lightning.precision import precision_for


@pytest.mark.parametrize(
    ("gpu", "bfloat16", "expected"),
    [(False, False, "32-true"), (True, True, "bf16-mixed"), (True, False, "16-mixed")],
)
def test_mixed_is_what_the_hardware_has(
    gpu: bool, bfloat16: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)
    assert precision_for("mixed") == expected
    assert precision_for(None) is None
    assert precision_for("16-mixed") == "16-mixed"
