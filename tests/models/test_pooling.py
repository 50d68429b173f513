"""Pooling against plain loops over a text's own tokens; padding's states are far away and must not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clir_lightning.errors import ConfigError
from clir_lightning.models.pooling import POOLINGS, pooling
from models.fakes import Array

LENGTHS = (6, 1, 3)
NAMES = ["cls", "mean", "max", "weighted_mean"]


def naive(name: str, tokens: Array) -> Array:
    """The vector of one text's tokens `[T, H]`, number by number."""
    vector = np.zeros(tokens.shape[1])
    for h in range(tokens.shape[1]):
        values = [float(token[h]) for token in tokens]
        if name == "cls":
            vector[h] = values[0]
        elif name == "mean":
            vector[h] = sum(values) / len(values)
        elif name == "max":
            vector[h] = max(values)
        else:
            weights = range(1, len(values) + 1)
            vector[h] = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    return vector


@pytest.fixture(params=[-100.0, 100.0], ids=["padding far below", "padding far above"])
def rows(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    """States `[3, 6, 4]`, all below 0, so that a maximum over zeros is seen, and their mask."""
    mask = torch.arange(6) < torch.tensor(LENGTHS)[:, None]
    states = -torch.rand(3, 6, 4, generator=torch.Generator().manual_seed(2)) - 0.5
    return states.masked_fill(~mask[:, :, None], request.param), mask


def test_all_poolings_are_tested() -> None:
    assert sorted(POOLINGS) == sorted(NAMES)


@pytest.mark.parametrize("mask_type", [torch.bool, torch.int64], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_pooling_is_its_loop(name: str, mask_type: torch.dtype, rows: tuple[Tensor, Tensor]) -> None:
    states, mask = rows
    found = pooling(name)(states, mask.to(mask_type))
    expected = [naive(name, states[n, :length].double().numpy()) for n, length in enumerate(LENGTHS)]
    assert found.shape == (3, 4)
    assert found.dtype == states.dtype
    assert found.numpy() == pytest.approx(np.stack(expected), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_padding_gets_no_gradient_and_every_text_does(name: str, rows: tuple[Tensor, Tensor]) -> None:
    states, mask = rows
    states.requires_grad_(True)
    total: Any = pooling(name)(states, mask).sum()
    total.backward()
    assert states.grad is not None
    assert states.grad[~mask].abs().sum() == 0
    assert states.grad.sum(dim=1).numpy() == pytest.approx(np.ones((3, 4)), rel=1e-5)  # weights that add up to 1


def test_by_hand() -> None:
    """Tokens 4 and −2: mean 1, maximum 4, weighted (4 − 2·2) / 3 = 0, first 4."""
    states, mask = torch.tensor([[[4.0], [-2.0], [9.0]]]), torch.tensor([[1, 1, 0]])
    found = {name: pooling(name)(states, mask).item() for name in NAMES}
    assert found == {"cls": 4.0, "mean": 1.0, "max": 4.0, "weighted_mean": 0.0}


def test_an_unknown_pooling_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"architecture.pooling is 'meen'; allowed: cls, .*; did you mean 'mean'\?"):
        pooling("meen")
