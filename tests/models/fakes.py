"""An encoder whose states are known: each token's is a row of a table, and padding has one far away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clir_lightning.data.tokens.texts import Texts

Array = NDArray[np.float64]
PAD = 0
FAR = 50.0  # what padding's state is: a sum, mean or maximum over it is seen at once


class TableEncoder(nn.Module):
    """States `[N, T, H]` from a table of token states, in place of a transformer."""

    def __init__(self, tokens: int = 30, width: int = 6, seed: int = 4) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        table = torch.randn(tokens, width, generator=random)
        table[PAD] = FAR
        self.table = nn.Parameter(table)
        self.width = width
        self.asked: list[tuple[int, str]] = []

    def forward(self, rows: Any) -> Tensor:
        return self.table[rows.input_ids]

    def check_length(self, length: int, name: str = "batches.max_length") -> None:
        self.asked.append((length, name))


def texts(*ids: Sequence[int], room: int = 0) -> Texts:
    """Padded texts of these tokens, with `room` more places than the longest needs."""
    width = max(len(row) for row in ids) + room
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    cells = torch.tensor([[*row, *[PAD] * (width - len(row))] for row in ids])
    return Texts(cells, mask, None)


def states(encoder: Any, ids: Sequence[int]) -> Array:
    """The states of a text's own tokens, `[T, H]`."""
    table: Array = encoder.table.detach().double().numpy()
    return table[list(ids)]


def unit(vectors: Array) -> Array:
    """Each row over its length."""
    scaled: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


def array(tensor: Tensor) -> Array:
    values: Array = tensor.detach().double().numpy()
    return values
