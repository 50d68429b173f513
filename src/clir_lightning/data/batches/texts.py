"""Batches of queries and documents as rows of their own, for models that encode them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from clir_lightning.data.batches.pairs import Step, teacher_scores
from clir_lightning.data.batches.samplers import cut_by_budget
from clir_lightning.data.tokens.table import as_rows
from clir_lightning.data.tokens.texts import TextAssembler, Texts
from clir_lightning.data.tokens.transfer import moved
from clir_lightning.errors import ConfigError
from clir_lightning.types import Qrels, Run, Sample

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


class TextScoring(Sampler[Encode | Rank]):
    """Scores a run's candidates: each distinct document encoded once, the longest first, then each query once.

    Queries with equally many candidates share a batch. Processes take turns at documents, sorted by length, and at
    queries; the vectors are to be put together between the two (`scoring.scorers.TextScorer`). For that each process
    has equally many steps of documents, some of them empty perhaps, and a query: one that has none left for it scores
    the first once more, since Lightning leaves a pass without batches out, in that process alone.

    Args:
        candidates: the queries and their documents.
        queries, documents: give rows and lengths.
        size: texts in a batch; `None` for no such limit.
        tokens: tokens in a batch, padding included; `None` for no such limit.
        rank, world_size: this process and the number of processes.
    """

    def __init__(
        self,
        candidates: Run,
        *,
        queries: TextAssembler,
        documents: TextAssembler,
        size: int | None = 128,
        tokens: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.size = size
        self.tokens = tokens
        self.rank = rank
        self.world_size = world_size
        scored = [query for query in candidates if len(candidates[query])]
        self.steps: list[Encode | Rank] = [
            *self._of_documents(candidates, scored, documents),
            *self._of_queries(candidates, scored, queries),
        ]

    def _of_documents(self, candidates: Run, scored: Sequence[str], documents: TextAssembler) -> Iterator[Encode]:
        """This process's share of all distinct documents, and steps of nothing where another has more batches."""
        distinct = list(dict.fromkeys(chain.from_iterable(candidates[query] for query in scored)))
        rows = as_rows(documents.table.index, distinct)
        ordered = rows[np.argsort(-documents.lengths(rows), kind="stable")]

        # Taking turns at documents sorted by length gives every process as many tokens, but for a few.
        shares = [ordered[turn :: self.world_size] for turn in range(self.world_size)]
        cuts = [self._cut(documents, share) for share in shares]
        own = [shares[self.rank][cut] for cut in cuts[self.rank]]
        lacking = max(map(len, cuts)) - len(own)
        return (Encode(share) for share in [*own, *[NOTHING] * lacking])

    def _of_queries(self, candidates: Run, scored: Sequence[str], queries: TextAssembler) -> Iterator[Rank]:
        """This process's queries, those with equally many candidates together, the longest of them first."""
        by_count: dict[int, list[str]] = {}
        for query in scored[self.rank :: self.world_size] or scored[:1]:
            by_count.setdefault(len(candidates[query]), []).append(query)

        for count, names in by_count.items():
            rows = as_rows(queries.table.index, names)
            order = np.argsort(-queries.lengths(rows), kind="stable")
            for cut in self._cut(queries, rows[order]):
                yield Rank([Sample(names[i], tuple(candidates[names[i]]), (0,) * count) for i in order[cut]])

    def _cut(self, texts: TextAssembler, rows: Ints) -> list[slice]:
        """Batches of rows `[N]` that are sorted by length."""
        return cut_by_budget(texts.lengths(rows), width=1, tokens=self.tokens, size=self.size)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Encode | Rank]:
        yield from self.steps
