"""Batches of query-document pairs, assembled from samples by index arithmetic on the token store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from clir_lightning.data.batches.features import Feature, extra
from clir_lightning.data.batches.knowledge import KnowledgeBatch, Neighbourhoods
from clir_lightning.data.collection import Split
from clir_lightning.data.tokens.pairs import PairAssembler
from clir_lightning.data.tokens.table import as_rows
from clir_lightning.data.tokens.texts import lengths_of
from clir_lightning.data.tokens.transfer import moved, sent
from clir_lightning.errors import ConfigError
from clir_lightning.types import Qrels, Sample

Ints = NDArray[np.int64]
Lists = Iterable[tuple[str, Collection[str]]]  # queries with their documents
BY_TOKEN = ("input_ids", "attention_mask", "token_type_ids")  # a batch's tensors [B·D, T]
BY_ROW = ("query_spans", "document_spans")  # and [B·D, 2]


@dataclass(frozen=True)
class Step:
    """One process's samples of one step; `weight` scales their losses so that every query of the epoch counts alike.

    `whole` are the samples of all processes; nothing: they are those of this one.
    """

    samples: Sequence[Sample]
    weight: float = 1.0
    whole: Sequence[Sample] = ()


@dataclass(frozen=True)
class PairBatch:
    """B queries with D documents each, as B·D padded rows of T tokens, a query's rows next to each other."""

    input_ids: Tensor  # [B·D, T]
    attention_mask: Tensor  # [B·D, T]
    token_type_ids: Tensor | None  # [B·D, T]
    grades: Tensor  # [B, D]
    samples: tuple[Sample, ...]  # B of them
    weights: tuple[float, ...] = ()  # B of them, each query's share in the loss times B; nothing: 1 each
    lengths: tuple[int, ...] = ()  # B·D, each row's tokens without padding, which a device need not be asked for then
    query_spans: Tensor | None = None  # [B·D, 2], first token and the one after the last of each row's query
    document_spans: Tensor | None = None  # [B·D, 2]
    extra: Mapping[str, Tensor] = field(default_factory=dict)  # [B·D, …] by feature, for architectures that read them
    knowledge: KnowledgeBatch | None = None  # what a graph knows of the queries and documents, for those that read it

    @property
    def tokens(self) -> int:
        """Tokens without padding; 0 where lengths are not known."""
        return sum(self.lengths)

    @property
    def cells(self) -> int:
        """Tokens with padding."""
        return self.input_ids.numel()

    @property
    def teacher(self) -> Tensor | None:
        """A better system's scores, `[B, D]`, where the samples hold them."""
        return teacher_scores(self.samples, self.grades.device)

    def _with(
        self, change: Callable[[Tensor], Tensor], change_knowledge: Callable[[KnowledgeBatch], KnowledgeBatch]
    ) -> PairBatch:
        """The same batch of changed tensors."""

        def changed(values: Mapping[str, Any]) -> dict[str, Any]:
            return {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}

        knowledge = None if self.knowledge is None else change_knowledge(self.knowledge)
        return replace(self, **changed(vars(self)), extra=changed(self.extra), knowledge=knowledge)

    def to(self, device: torch.device) -> PairBatch:
        """The same batch on another device; on a GPU it is there for what is computed after it."""
        return self._with(lambda tensor: moved(tensor, device), lambda knowledge: knowledge.to(device))

    def pin_memory(self) -> PairBatch:
        """The same batch in memory that a GPU can copy from by itself; data loaders call it."""
        return self._with(Tensor.pin_memory, KnowledgeBatch.pin_memory)

    def _rows(self, places: Tensor | slice, width: int | None = None) -> dict[str, Any]:
        """All that has a row per pair, at these places; tokens up to `width`."""
        tokens = {name: getattr(self, name) for name in BY_TOKEN}
        others = {name: getattr(self, name) for name in BY_ROW}
        rows = {name: None if value is None else value[places, :width] for name, value in tokens.items()}
        rows |= {name: None if value is None else value[places] for name, value in others.items()}
        knowledge = None if self.knowledge is None else self.knowledge.rows(places)
        return {**rows, "extra": {name: value[places] for name, value in self.extra.items()}, "knowledge": knowledge}

    def pairs(self, places: Ints) -> PairBatch:
        """The rows at these places as queries with one document each; without their samples and a teacher's scores.

        `places` are `[N]`.
        """
        there = sent(places, self.grades.device)
        all_lengths = lengths_of(self)
        lengths = tuple(all_lengths[place] for place in places.tolist())
        grades = self.grades.reshape(-1, 1)[there]
        return replace(self, **self._rows(there), grades=grades, samples=(), weights=(), lengths=lengths)

    def parts(self, token_limit: int) -> Iterator[PairBatch]:
        """The batch cut between queries into parts of at most `token_limit` tokens with padding, if possible.

        Each part is padded to its own longest row only.
        """
        count, documents = self.grades.shape
        queries = max(1, token_limit // (documents * self.input_ids.shape[1]))
        lengths = lengths_of(self)
        for start in range(0, count, queries):
            some = slice(start, min(start + queries, count))
            rows = slice(some.start * documents, some.stop * documents)
            yield replace(
                self,
                **self._rows(rows, max(lengths[rows])),
                grades=self.grades[some],
                samples=self.samples[some],
                weights=self.weights[some],
                lengths=lengths[rows],
            )


def teacher_scores(samples: Sequence[Sample], device: torch.device) -> Tensor | None:
    """What the samples hold of a teacher's scores, `[B, D]`, or nothing."""
    scores = [sample.teacher for sample in samples]
    return sent(scores, device) if any(scores) else None


@dataclass(frozen=True)
class PairDataset(Dataset[PairBatch]):
    """A step's samples in, a `PairBatch` out.

    `features` read the records of `split`, whose queries the assembler has the tokens of; `knowledge` is of the same.
    """

    assembler: PairAssembler
    features: Mapping[str, Feature] = field(default_factory=dict)
    split: Split = field(default_factory=lambda: Split({}, Qrels({})))
    knowledge: Neighbourhoods | None = None

    def rows(self, samples: Sequence[Sample]) -> tuple[Ints, Ints]:
        """Query row and document row of each pair, `[B·D]` each."""
        sizes = {len(sample.document_ids) for sample in samples}
        if len(sizes) > 1:
            raise ConfigError(f"samples of {sorted(sizes)} documents in one batch; a sampling must give one size")
        return self.rows_of((sample.query_id, sample.document_ids) for sample in samples)

    def rows_of(self, lists: Lists) -> tuple[Ints, Ints]:
        """The same of lists of any lengths."""
        queries, documents = zip(*lists, strict=True)
        rows = as_rows(self.assembler.queries.index, queries)
        found = as_rows(self.assembler.documents.index, list(chain.from_iterable(documents)))
        return np.repeat(rows, list(map(len, documents))), found

    def pair_lengths(self, query: str, documents: Sequence[str]) -> Ints:
        """Tokens of a query's pair with each document, `[D]`."""
        return self.assembler.lengths(*self.rows_of([(query, documents)]))

    def cut_share(self, lists: Lists) -> float:
        """Share of the pairs whose document loses tokens."""
        cuts = [self.assembler.is_cut(*self.rows_of([one])) for one in lists]
        return float(np.concatenate(cuts).mean())

    def cells(self, samples: Sequence[Sample]) -> Ints:
        """The cells that each sample takes, padded to its longest pair, `[B, 1]`."""
        lengths = self.assembler.lengths(*self.rows(samples)).reshape(len(samples), -1)
        cells: Ints = lengths.shape[1] * lengths.max(axis=1, keepdims=True)
        return cells

    def __getitem__(self, step: Step) -> PairBatch:
        pairs = self.assembler.join(*self.rows(step.samples))
        return PairBatch(
            torch.from_numpy(pairs.input_ids),
            torch.from_numpy(pairs.mask),
            None if pairs.segments is None else torch.from_numpy(pairs.segments),
            torch.tensor([sample.grades for sample in step.samples], dtype=torch.float),
            tuple(step.samples),
            tuple(step.weight * sample.weight for sample in step.samples),
            tuple(pairs.lengths.tolist()),
            torch.from_numpy(pairs.query_spans),
            torch.from_numpy(pairs.document_spans),
            self._extra(step.samples) if self.features else {},
            self._known(step.samples),
        )

    def _extra(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """What the features say of each pair, in the rows' order."""
        pairs = [(sample.query_id, document) for sample in samples for document in sample.document_ids]
        queries = [self.split.queries[query] for query, _ in pairs]
        documents = [self.split.documents[document] for _, document in pairs]
        return extra(self.features, queries, documents)

    def _known(self, samples: Sequence[Sample]) -> KnowledgeBatch | None:
        """What the graph knows of the pairs, in the rows' order."""
        if self.knowledge is None:
            return None
        queries = [sample.query_id for sample in samples for _ in sample.document_ids]
        return self.knowledge.batch(queries, [document for sample in samples for document in sample.document_ids])
