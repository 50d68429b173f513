"""Pooling: one vector of a text from the hidden states of its tokens; padding never counts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clir_lightning.errors import one_of

Pooling = Callable[[Tensor, Tensor], Tensor]  # states [N, T, H], mask [N, T] → [N, H]


def cls(states: Tensor, mask: Tensor) -> Tensor:
    """The first token's state."""
    return states[:, 0]


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean of the tokens' states.

    >>> mean(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[1, 1, 0]]))
    tensor([[2.]])
    """
    weights = mask.to(states.dtype).unsqueeze(-1)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def maximum(states: Tensor, mask: Tensor) -> Tensor:
    """The greatest value of each dimension over the tokens."""
    return states.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(dim=1)


def weighted_mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean weighted by position, the first token's weight 1, the second's 2, … (SGPT, Muennighoff, 2022).

    >>> weighted_mean(torch.tensor([[[1.0], [4.0], [9.0]]]), torch.tensor([[1, 1, 0]]))
    tensor([[3.]])
    """
    return mean(states, mask * torch.arange(1, mask.shape[1] + 1, device=mask.device))


POOLINGS: dict[str, Pooling] = {"cls": cls, "mean": mean, "max": maximum, "weighted_mean": weighted_mean}


def pooling(name: str) -> Pooling:
    """The pooling of that name; `ConfigError` names those there are."""
    return POOLINGS[one_of(name, POOLINGS, "architecture.pooling")]
