"""Batches of token ids, and the samplers that decide which samples form them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from clir_lightning.data.tokens import PairTemplate, TokenTable
from clir_lightning.types import Run, Sample


@dataclass(frozen=True)
class Batch:
    """B queries with D documents each, as B·D padded rows of T tokens, a query's rows next to each other."""

    input_ids: Tensor  # [B·D, T]
    attention_mask: Tensor  # [B·D, T]
    token_type_ids: Tensor | None  # [B·D, T]
    grades: Tensor  # [B, D]
    samples: tuple[Sample, ...]  # B of them

    def to(self, device: torch.device, non_blocking: bool = False) -> Batch:
        """The same batch on another device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        types = None if self.token_type_ids is None else move(self.token_type_ids)
        return Batch(move(self.input_ids), move(self.attention_mask), types, move(self.grades), self.samples)


@dataclass(frozen=True)
class PairDataset(Dataset[Batch]):
    """A list of samples in, a `Batch` out: assembles the pairs of query and document from stored token ids."""

    queries: TokenTable
    documents: TokenTable
    template: PairTemplate
    pad_id: int
    max_length: int

    def __getitem__(self, samples: Sequence[Sample]) -> Batch:
        rows = [
            self.template.join(self.queries[sample.query_id], self.documents[document], self.max_length)
            for sample in samples
            for document in sample.document_ids
        ]
        shape = (len(rows), max(len(ids) for ids, _ in rows))
        input_ids = torch.full(shape, self.pad_id, dtype=torch.long)
        mask = torch.zeros(shape, dtype=torch.long)
        types = None if self.template.segments is None else torch.zeros(shape, dtype=torch.long)
        for row, (ids, segments) in enumerate(rows):
            input_ids[row, : len(ids)] = torch.tensor(ids)
            mask[row, : len(ids)] = 1
            if types is not None:
                types[row, : len(ids)] = torch.tensor(segments)
        grades = torch.tensor([sample.grades for sample in samples], dtype=torch.float)
        return Batch(input_ids, mask, types, grades, tuple(samples))


class TrainingBatches(Sampler[list[Sample]]):
    """Batches of `batch_size` queries for training; with several processes each takes its share of every batch.

    `draw(epoch)` gives the samples of an epoch in their order, the same for every process. What does not divide evenly
    among the processes at the end of an epoch is left out, so that all make the same number of equal steps.
    """

    def __init__(
        self, draw: Callable[[int], list[Sample]], *, batch_size: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.draw, self.batch_size, self.rank, self.world_size = draw, batch_size, rank, world_size
        self.epoch = 0
        self.samples = len(draw(0))

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self.samples, self.batch_size)
        return whole + (rest >= self.world_size)

    def __iter__(self) -> Iterator[list[Sample]]:
        samples = self.draw(self.epoch)
        for start in range(0, len(samples), self.batch_size):
            batch = samples[start : start + self.batch_size]
            if share := len(batch) // self.world_size:
                yield batch[self.rank : share * self.world_size : self.world_size]


class ScoringBatches(Sampler[list[Sample]]):
    """Every (query, document) pair of a run once, as samples of one document, in batches of like length.

    Longest first: the first batch shows whether memory suffices, and little is padded. Processes take turns.
    """

    def __init__(
        self,
        candidates: Run,
        *,
        length: Callable[[str, str], int],
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        pairs = [Sample(query, (document,), (0,)) for query in candidates for document in candidates[query]]
        pairs.sort(key=lambda pair: length(pair.query_id, pair.document_ids[0]), reverse=True)
        batches = [pairs[start : start + batch_size] for start in range(0, len(pairs), batch_size)]
        self.batches = batches[rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Sample]]:
        return iter(self.batches)
