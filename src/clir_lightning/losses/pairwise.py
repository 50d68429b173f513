"""Pairwise losses: pure functions of scores `[B, D]`, thin modules over them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def softmax_hinge(scores: Tensor, margin: float = 0.0) -> Tensor:
    """The original experiment's loss: a hinge on the softmax probabilities of a positive and each of its negatives.

    `scores` `[B, D]` holds the positive's score first. For each pair (p⁺, p⁻) = softmax(s⁺, s⁻), and the loss is
    max(0, p⁻ − margin), averaged over pairs: a negative may keep the probability `margin` at no cost. Since
    p⁺ + p⁻ = 1 that is half the textbook hinge max(0, g − (p⁺ − p⁻)) with the gap g = 1 − 2·margin. With margin 0 it
    equals 1 − σ(s⁺ − s⁻).

    >>> softmax_hinge(torch.tensor([[0.0, 0.0]]))
    tensor(0.5000)
    >>> softmax_hinge(torch.tensor([[2.0, 0.0]]), margin=0.1)  # p⁻ = .1192
    tensor(0.0192)
    """
    pairs = torch.stack([scores[:, :1].expand_as(scores[:, 1:]), scores[:, 1:]], dim=-1)  # [B, D-1, 2]
    negative = torch.softmax(pairs, dim=-1)[..., 1]
    return torch.relu(negative - margin).mean()


class SoftmaxHinge(nn.Module):
    """Module over `softmax_hinge`."""

    def __init__(self, margin: float = 0.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, scores: Tensor, grades: Tensor) -> Tensor:
        """`scores` and `grades` `[B, D]`, the positive first; returns a scalar."""
        return softmax_hinge(scores, self.margin)
