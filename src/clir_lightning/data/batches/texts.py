"""Batches of queries and documents as rows of their own, for models that encode them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from clir_lightning.data.batches.pairs import Step, teacher_scores
from clir_lightning.data.tokens.table import as_rows
from clir_lightning.data.tokens.texts import TextAssembler, Texts
from clir_lightning.data.tokens.transfer import moved
from clir_lightning.errors import ConfigError
from clir_lightning.types import Qrels, Sample

Ints = NDArray[np.int64]
NOTHING: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Encode:
    """A scoring step that only encodes documents, given by their rows, for the queries that come later."""

    rows: Ints


@dataclass(frozen=True)
class Rank:
    """A scoring step of queries with candidates that have been encoded before."""

    samples: Sequence[Sample]


@dataclass(frozen=True)
class TextBatch:
    """B queries and N documents; in training N = B·D, a query's documents next to each other.

    In scoring, batches of documents alone (`samples` empty) come before those of queries alone, whose `rows` name
    candidates that have been encoded by then.
    """

    queries: Texts  # [B, Tq]
    documents: Texts  # [N, Td]
    rows: Tensor  # [N] or [B·D] the documents' rows in the token store
    grades: Tensor  # [B, D]
    relevant: Tensor  # [B, R] rows of all documents relevant to a query, judged or as a positive; -1: there are fewer
    samples: tuple[Sample, ...]  # B of them
    weights: tuple[float, ...] = ()  # B of them, each query's share in the loss times B; nothing: 1 each
    tokens: int = 0  # without padding

    @property
    def cells(self) -> int:
        """Tokens with padding."""
        return self.queries.input_ids.numel() + self.documents.input_ids.numel()

    @property
    def teacher(self) -> Tensor | None:
        """A better system's scores, `[B, D]`, where the samples hold them."""
        return teacher_scores(self.samples, self.grades.device)

    def _with(self, change: Callable[[Tensor], Tensor]) -> TextBatch:
        """The same batch of changed tensors."""
        return replace(
            self,
            queries=self.queries.changed(change),
            documents=self.documents.changed(change),
            rows=change(self.rows),
            grades=change(self.grades),
            relevant=change(self.relevant),
        )

    def to(self, device: torch.device) -> TextBatch:
        """The same batch on another device; on a GPU it is there for what is computed after it."""
        return self._with(lambda tensor: moved(tensor, device))

    def pin_memory(self) -> TextBatch:
        """The same batch in memory that a GPU can copy from by itself; data loaders call it."""
        return self._with(Tensor.pin_memory)


@dataclass(frozen=True)
class TextDataset(Dataset[TextBatch]):
    """A step in, a `TextBatch` out, of the queries of one split and its judgements."""

    queries: TextAssembler
    documents: TextAssembler
    qrels: Qrels

    def cells(self, samples: Sequence[Sample]) -> Ints:
        """The cells that each sample takes among the queries, and among the documents, `[B, 2]`."""
        queries, documents = self._rows(samples)
        lengths = self.documents.lengths(documents).reshape(len(samples), -1)
        return np.stack([self.queries.lengths(queries), lengths.shape[1] * lengths.max(axis=1)], axis=1)

    def _rows(self, samples: Sequence[Sample]) -> tuple[Ints, Ints]:
        sizes = {len(sample.document_ids) for sample in samples}
        if len(sizes) > 1:
            raise ConfigError(f"samples of {sorted(sizes)} documents in one batch; a sampling must give one size")
        ids = list(chain.from_iterable(sample.document_ids for sample in samples))
        queries = as_rows(self.queries.table.index, [sample.query_id for sample in samples])
        return queries, as_rows(self.documents.table.index, ids)

    def _relevant(self, step: Step) -> Tensor:
        """The documents that are judged relevant, or the positive of some sample of the whole step with that query."""
        known = {sample.query_id: dict.fromkeys(self.qrels.relevant(sample.query_id)) for sample in step.samples}
        for sample in step.whole or step.samples:
            if sample.query_id in known:
                known[sample.query_id][sample.document_ids[0]] = None
        lists = [list(known[sample.query_id]) for sample in step.samples]

        rows = as_rows(self.documents.table.index, list(chain.from_iterable(lists)))
        sizes = [len(documents) for documents in lists]
        table = np.full((len(lists), max(sizes, default=0)), -1, np.int64)
        table[np.arange(table.shape[1]) < np.array(sizes)[:, None]] = rows
        return torch.from_numpy(table)

    def __getitem__(self, step: Step | Encode | Rank) -> TextBatch:
        if isinstance(step, Encode):
            return self._batch(NOTHING, step.rows, step.rows)
        queries, rows = self._rows(step.samples)
        if isinstance(step, Rank):
            return self._batch(queries, NOTHING, rows, step.samples)

        # In training, documents go through the encoder with their queries, and losses ask which of them are relevant.
        batch = self._batch(queries, rows, rows, step.samples)
        weights = tuple(step.weight * sample.weight for sample in step.samples)
        return replace(batch, relevant=self._relevant(step), weights=weights)

    def _batch(self, queries: Ints, encoded: Ints, rows: Ints, samples: Sequence[Sample] = ()) -> TextBatch:
        return TextBatch(
            self.queries.texts(queries),
            self.documents.texts(encoded),
            torch.from_numpy(rows),
            torch.tensor([sample.grades for sample in samples], dtype=torch.float),
            torch.full((len(samples), 0), -1),
            tuple(samples),
            tokens=int(self.queries.lengths(queries).sum() + self.documents.lengths(encoded).sum()),
        )
