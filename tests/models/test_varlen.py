"""Attention of rows without padding against a loop over the rows, and which kernel computes what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from clir_lightning.models import varlen
from clir_lightning.models.varlen import KERNELS, attend, installed, kernel

HOPPER = (9, 0)
TURING = (7, 5)
ALL = frozenset({"torch", "flash_attn"})


@dataclass(frozen=True)
class Rows:
    lengths: tuple[int, ...]

    @property
    def bounds(self) -> Tensor:
        return torch.tensor([0, *torch.tensor(self.lengths).cumsum(0)], dtype=torch.int32)


def vectors(rows: Rows, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    query, key, value = (torch.randn(sum(rows.lengths), 2, 8, dtype=dtype, requires_grad=True) for _ in range(3))
    return query, key, value


def by_loop(query: Tensor, key: Tensor, value: Tensor, rows: Rows, scaling: float, window: int | None) -> Tensor:
    """Each row alone, token by token."""
    states = []
    start = 0
    for length in rows.lengths:
        for i in range(start, start + length):
            first = start if window is None else max(start, i - window)
            last = start + length if window is None else min(start + length, i + window + 1)
            logits = torch.einsum("hp,jhp->hj", query[i], key[first:last]) * scaling
            states.append(torch.einsum("hj,jhp->hp", logits.softmax(dim=1), value[first:last]))
        start += length
    return torch.stack(states)


@pytest.mark.parametrize("lengths", [(5, 3, 9), (1,), (4, 4, 4), (7, 1, 1, 2)])
@pytest.mark.parametrize(("name", "window"), [("padded", None), ("padded", 0), ("padded", 2), ("jagged", None)])
def test_states_and_gradients_are_those_of_each_row_alone(
    name: str, window: int | None, lengths: tuple[int, ...]
) -> None:
    rows = Rows(lengths)
    three = vectors(rows)
    found = KERNELS[name](*three, rows, 0.0, 0.3, window)
    expected = by_loop(*three, rows, 0.3, window)
    assert torch.allclose(found, expected, atol=1e-12)

    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad(found, three, weights)
    for gradient, right in zip(gradients, torch.autograd.grad(expected, three, weights), strict=True):
        assert torch.allclose(gradient, right, atol=1e-12)


def test_a_row_of_no_tokens_changes_nothing() -> None:
    rows = Rows((4, 0, 2))
    three = vectors(rows)
    found = attend(*three, rows, scaling=0.3)
    assert torch.allclose(found, by_loop(*three, rows, 0.3, None), atol=1e-12)
    for gradient in torch.autograd.grad(found.sum(), three):
        assert gradient.isfinite().all()


def test_nothing_gives_nothing() -> None:
    nothing = torch.zeros(0, 2, 8)
    assert attend(nothing, nothing, nothing, Rows(()), scaling=0.3).shape == (0, 2, 8)


def test_the_usual_scaling_is_one_over_the_root_of_the_width() -> None:
    rows = Rows((3, 2))
    three = vectors(rows)
    assert torch.allclose(attend(*three, rows), by_loop(*three, rows, 1 / math.sqrt(8), None), atol=1e-12)


def test_a_window_reaches_its_kernel() -> None:
    rows = Rows((6, 4))
    three = vectors(rows)
    assert torch.allclose(attend(*three, rows, scaling=0.3, window=1), by_loop(*three, rows, 0.3, 1), atol=1e-12)


def test_dropout_drops_weights_and_keeps_their_mean() -> None:
    rows = Rows((6, 4))
    query, key, _ = vectors(rows, torch.float32)
    value = torch.ones(10, 2, 8)
    draws = torch.stack([attend(query, key, value, rows, dropout=0.5) for _ in range(400)])
    assert draws.std(dim=0).min() > 0.1
    assert torch.allclose(draws.mean(dim=0), torch.ones(10, 2, 8), atol=0.25)


def test_all_three_are_computed_in_the_precision_of_the_surrounding_code() -> None:
    rows = Rows((3, 2))
    query, key, value = vectors(rows, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert attend(query, key, value.bfloat16(), rows).dtype == torch.bfloat16
    assert attend(query, key, value, rows).dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("torch", {}),
        ("torch", {"dtype": torch.float16}),
        ("torch", {"window": True}),
        ("torch", {"there": frozenset({"torch"})}),
        ("torch", {"capability": (8, 0)}),
        ("flash_attn", {"dropout": 0.1}),
        ("flash_attn", {"there": frozenset({"flash_attn"})}),
        ("flash_attn", {"width": 60}),
        ("flash_attn", {"dropout": 0.1, "window": True}),
        ("jagged", {"dropout": 0.1, "there": frozenset({"torch"})}),
        ("jagged", {"dtype": torch.float32}),
        ("jagged", {"capability": TURING}),
        ("jagged", {"width": 264}),
        ("jagged", {"there": frozenset()}),
        ("padded", {"dtype": torch.float32, "window": True}),
        ("padded", {"dtype": torch.float32, "width": 60}),
        ("padded", {"dropout": 0.1, "window": True, "there": frozenset({"torch"})}),
        ("padded", {"capability": None}),
    ],
)
def test_the_kernel_is_chosen_by_what_it_can_compute(name: str, changed: dict[str, Any]) -> None:
    usual = {"dtype": torch.bfloat16, "capability": HOPPER, "width": 64, "dropout": 0.0, "window": False, "there": ALL}
    assert kernel(**{**usual, **changed}) == name


def test_what_is_installed_is_asked_for_and_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "torch" in installed()  # pyproject.toml asks for 2.11
    monkeypatch.setattr(varlen, "find_spec", lambda name: object() if name == "flash_attn" else None)
    installed.cache_clear()
    try:
        assert installed() == ALL
        monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", lambda query, key, value, is_causal=False: query)
        installed.cache_clear()
        assert installed() == frozenset({"flash_attn"})
    finally:
        installed.cache_clear()


def test_flash_kernels_are_told_bounds_longest_row_and_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU computes is for `make gpu-check`; here, what it is asked."""
    asked: list[Any] = []

    def kept(*arguments: Any, **keywords: Any) -> Tensor:
        asked.append((arguments[3].tolist(), arguments[4].tolist(), arguments[5:], keywords))
        return torch.zeros(5, 2, 8)

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", kept)
    rows = Rows((3, 2))
    KERNELS["torch"](*vectors(rows), rows, 0.0, 0.3, 4)
    KERNELS["torch"](*vectors(rows), rows, 0.0, None, None)
    assert asked == [
        ([0, 3, 5], [0, 3, 5], (3, 3), {"scale": 0.3, "window_size": (4, 4)}),
        ([0, 3, 5], [0, 3, 5], (3, 3), {"scale": None, "window_size": (-1, -1)}),
    ]
