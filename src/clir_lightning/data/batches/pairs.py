"""Batches of token ids, assembled from samples by index arithmetic on the token store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from clir_lightning.data.tokens.pairs import PairAssembler
from clir_lightning.data.tokens.table import as_rows
from clir_lightning.errors import ConfigError
from clir_lightning.types import Run, Sample


@dataclass(frozen=True)
class Step:
    """One process's samples of one step; `weight` scales their losses so that every query of the epoch counts alike.

    `whole` are the samples of all processes; nothing: they are those of this one.
    """

    samples: Sequence[Sample]
    weight: float = 1.0
    whole: Sequence[Sample] = ()


@dataclass(frozen=True)
class Batch:
    """B queries with D documents each, as B·D padded rows of T tokens, a query's rows next to each other."""

    input_ids: Tensor  # [B·D, T]
    attention_mask: Tensor  # [B·D, T]
    token_type_ids: Tensor | None  # [B·D, T]
    grades: Tensor  # [B, D]
    samples: tuple[Sample, ...]  # B of them
    weights: tuple[float, ...] = ()  # B of them, each query's share in the loss times B; nothing: 1 each
    tokens: int = 0  # without padding
    query_spans: Tensor | None = None  # [B·D, 2], first token and the one after the last of each row's query
    document_spans: Tensor | None = None  # [B·D, 2]

    @property
    def cells(self) -> int:
        """Tokens with padding."""
        return self.input_ids.numel()

    def to(self, device: torch.device, non_blocking: bool = False) -> Batch:
        """The same batch on another device."""

        tensors: dict[str, Any] = {
            name: value.to(device, non_blocking=non_blocking)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **tensors)

    def pairs(self, places: Tensor) -> Batch:
        """The rows at these places as queries with one document each; without their samples."""
        by_row = ("input_ids", "attention_mask", "token_type_ids", "query_spans", "document_spans")
        values: dict[str, Any] = {name: getattr(self, name) for name in by_row}
        rows: dict[str, Any] = {name: None if value is None else value[places] for name, value in values.items()}
        return replace(self, **rows, grades=self.grades.reshape(-1, 1)[places], samples=(), weights=())

    def parts(self, token_limit: int) -> Iterator[Batch]:
        """The batch cut between queries into parts of at most `token_limit` tokens with padding, if possible.

        Each part is padded to its own longest row only.
        """
        count, documents = self.grades.shape
        queries = max(1, token_limit // (documents * self.input_ids.shape[1]))
        for start in range(0, count, queries):
            stop = min(start + queries, count)
            rows = slice(start * documents, stop * documents)
            width = int(self.attention_mask[rows].sum(dim=1).max())
            yield Batch(
                self.input_ids[rows, :width],
                self.attention_mask[rows, :width],
                None if self.token_type_ids is None else self.token_type_ids[rows, :width],
                self.grades[start:stop],
                self.samples[start:stop],
                self.weights[start:stop],
                query_spans=None if self.query_spans is None else self.query_spans[rows],
                document_spans=None if self.document_spans is None else self.document_spans[rows],
            )


@dataclass(frozen=True)
class PairDataset(Dataset[Batch]):
    """A step's samples in, a `Batch` out."""

    assembler: PairAssembler

    def rows(self, samples: Sequence[Sample]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Query row and document row of each pair, `[B·D]` each."""
        sizes = {len(sample.document_ids) for sample in samples}
        if len(sizes) > 1:
            raise ConfigError(f"samples of {sorted(sizes)} documents in one batch; a sampling must give one size")
        queries = as_rows(self.assembler.queries.index, [sample.query_id for sample in samples])
        documents = list(chain.from_iterable(sample.document_ids for sample in samples))
        return np.repeat(queries, sizes.pop()), as_rows(self.assembler.documents.index, documents)

    def rows_of(self, run: Run) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same of each pair of a run."""
        queries = as_rows(self.assembler.queries.index, list(run))
        documents = as_rows(self.assembler.documents.index, list(chain.from_iterable(run.values())))
        return np.repeat(queries, [len(run[query]) for query in run]), documents

    def pair_lengths(self, query: str, documents: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of a query's pair with each document, `[D]`."""
        rows = as_rows(self.assembler.queries.index, [query])
        found = as_rows(self.assembler.documents.index, documents)
        return self.assembler.lengths(np.repeat(rows, len(documents)), found)

    def cells(self, samples: Sequence[Sample]) -> NDArray[np.int64]:
        """The cells that each sample takes, padded to its longest pair, `[B, 1]`."""
        lengths = self.assembler.lengths(*self.rows(samples)).reshape(len(samples), -1)
        cells: NDArray[np.int64] = lengths.shape[1] * lengths.max(axis=1, keepdims=True)
        return cells

    def __getitem__(self, step: Step) -> Batch:
        pairs = self.assembler.join(*self.rows(step.samples))
        return Batch(
            torch.from_numpy(pairs.input_ids),
            torch.from_numpy(pairs.mask),
            None if pairs.segments is None else torch.from_numpy(pairs.segments),
            torch.tensor([sample.grades for sample in step.samples], dtype=torch.float),
            tuple(step.samples),
            tuple(step.weight * sample.weight for sample in step.samples),
            int(pairs.lengths.sum()),
            torch.from_numpy(pairs.query_spans),
            torch.from_numpy(pairs.document_spans),
        )
