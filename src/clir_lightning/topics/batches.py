"""What a topic model reads in a step: documents, queries and pairs of terms, the same for a seed and an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import DataError, at_least
from clir_lightning.topics.words import Links

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Terms:
    """Some terms of both languages: their words, `[A, V]` a side with rows of sum 1, and which are linked, `[A, B]`."""

    words: Mapping[Side, Tensor]
    linked: Tensor


@dataclass(frozen=True)
class TopicBatch:
    """Texts of one side or both: vectors `[N, H]` and counts of words `[N, V]` by side."""

    vectors: Mapping[Side, Tensor]
    counts: Mapping[Side, Tensor]
    terms: Terms | None = None

    def to(self, device: torch.device) -> TopicBatch:
        """The same on another device."""
        vectors, counts = ({side: each.to(device) for side, each in of.items()} for of in (self.vectors, self.counts))
        if self.terms is None:
            return TopicBatch(vectors, counts)
        words = {side: each.to(device) for side, each in self.terms.words.items()}
        return TopicBatch(vectors, counts, Terms(words, self.terms.linked.to(device)))


@dataclass(frozen=True)
class TopicTexts:
    """N texts to learn from: vectors `[N, H]` and counts of words `[N, V]`, none without any word."""

    vectors: NDArray[np.float32]
    counts: sp.csr_matrix

    @classmethod
    def of(cls, vectors: NDArray[np.float32], counts: sp.csr_matrix, name: str) -> TopicTexts:
        """Those of the texts that have words of the vocabulary. Raises `DataError` for fewer than two, by `name`."""
        known = np.flatnonzero(counts.sum(axis=1))
        if len(known) < 2:
            problem = f"{len(known)} of {len(vectors)} {name} have words of the vocabulary, and topics need two"
            raise DataError(problem, cure="lower words.least, or raise words.most")
        return cls(vectors[known], counts[known])

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True)
class TopicStep:
    """Rows of each side's texts, and of the pairs of terms."""

    rows: Mapping[Side, Ints]
    pairs: Ints


class TopicSteps(Sampler[TopicStep]):
    """The steps of an epoch: each text once, in an order drawn from seed and epoch, in steps of almost equal size.

    Args:
        texts: how many there are of each side.
        size: documents a step, at least 2; the last one of an epoch may be up to twice as large.
        pairs: how many linked terms there are.
        terms: of those a step, drawn anew in each.
        seed: of the order.
    """

    def __init__(
        self, texts: Mapping[Side, int], *, size: int = 64, pairs: int = 0, terms: int = 256, seed: int = 1
    ) -> None:
        at_least(size, 2, "size")
        self.texts = texts
        self.pairs = pairs
        self.terms = min(terms, pairs)
        self.seed = seed
        self.epoch = 0
        self.count = max(1, texts["document"] // size)
        self.count = min([self.count, *(number // 2 for number in texts.values())])  # normalisation needs two of each

    def set_epoch(self, epoch: int) -> None:
        """The epoch whose steps come next; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[TopicStep]:
        random = np.random.default_rng([self.seed, self.epoch])
        rows = {side: np.array_split(random.permutation(number), self.count) for side, number in self.texts.items()}
        for step in range(self.count):
            pairs = random.choice(self.pairs, self.terms, replace=False) if self.pairs else np.zeros(0, np.int64)
            yield TopicStep({side: parts[step] for side, parts in rows.items()}, pairs)


@dataclass(frozen=True)
class TopicDataset(Dataset[TopicBatch]):
    """A step in, a batch out."""

    texts: Mapping[Side, TopicTexts]
    links: Links | None = None

    def __getitem__(self, step: TopicStep) -> TopicBatch:
        vectors = {side: torch.from_numpy(self.texts[side].vectors[rows]) for side, rows in step.rows.items()}
        counts = {side: _dense(self.texts[side].counts[rows]) for side, rows in step.rows.items()}
        return TopicBatch(vectors, counts, self._terms(step.pairs) if len(step.pairs) else None)

    def _terms(self, pairs: Ints) -> Terms:
        """The terms of these pairs, each once, with all links among them."""
        assert self.links is not None
        queries, documents = (np.unique(column) for column in self.links.pairs[pairs].T)
        words: dict[Side, Tensor] = {
            "query": _dense(self.links.queries[queries]),
            "document": _dense(self.links.documents[documents]),
        }
        linked = self.links.linked[queries][:, documents].toarray()
        return Terms(words, torch.from_numpy(linked))


def _dense(matrix: sp.csr_matrix) -> Tensor:
    """The rows as numbers of 32 bits."""
    return torch.from_numpy(matrix.toarray().astype(np.float32))
