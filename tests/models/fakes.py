"""An encoder whose states are known: each token's is a row of a table, and padding has one far away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

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

    def first(self, rows: Any) -> Tensor:
        return self.table[rows.input_ids[:, 0]]

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


class Contract(nn.Module):
    """The members of a model's contract that a test does not look at."""

    encoder: Any = None
    width = 6

    @staticmethod
    def outputs(**settings: Any) -> frozenset[str]:
        return frozenset({"scores", "similarities", "vectors"})

    def check_lengths(self, max_length: int, query_length: int | None) -> None: ...


class TextTable(Contract):
    """A unit vector for each first token: a text model without an encoder, which remembers what it was asked for.

    With `tokens` each token has one, as in late interaction, and the similarity is the greatest product.
    """

    SCALE = 5.0

    def __init__(self, sizes: Sequence[int] = (), *, tokens: bool = False) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(20, 6, generator=torch.Generator().manual_seed(1)))
        self.sizes = sizes
        self.tokens = tokens
        self.encoded: list[tuple[str, int]] = []

    def encode(self, texts: Texts, side: str) -> Tensor:
        self.encoded.append((side, len(texts)))
        unit = normalize(self.vectors[texts.input_ids], dim=-1)
        return unit * texts.attention_mask[:, :, None] if self.tokens else unit[:, 0]

    def similarity(self, queries: Tensor, documents: Tensor) -> Tensor:
        if self.tokens:
            return torch.einsum("bqp,ndp->bnqd", queries, documents).amax(dim=(2, 3))
        return queries @ documents.T

    def views(self, encoded: Tensor) -> list[Tensor]:
        return [encoded, *(normalize(encoded[:, :size], dim=-1) for size in self.sizes)]

    def scale(self) -> Tensor:
        return torch.tensor(self.SCALE)
