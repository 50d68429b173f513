"""From scores to ranked grades, as tensors: the order that trec_eval would give, for all queries at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clir_lightning.errors import DataError
from clir_lightning.types import Grades

ABSENT = torch.iinfo(torch.int64).min  # the sort key of a place without a document: below that of any score


@dataclass(frozen=True, slots=True)
class Ranked:
    """What the measures read: each query's documents in ranked order.

    `gains` `[Q, K]` grades, 0 where unjudged or past the end; `judged` `[Q, K]` whether the qrels hold the document;
    `length` `[Q]` documents in the list; `ideal` `[Q, R]` all grades above 0 of the qrels, highest first, 0-padded;
    `tied` `[Q]` whether the list has several documents and one score.
    """

    gains: Tensor
    judged: Tensor
    length: Tensor
    ideal: Tensor
    tied: Tensor


def sort_keys(scores: Tensor) -> Tensor:
    """One whole number per document, `[..., D]`, that sorts as trec_eval does: by score in 32 bits, then by column.

    The columns stand in the order of document ids, so that of equal scores the higher id wins. The bits of a float,
    with those of a negative one flipped, order as the float does; they fill the upper half, the column the lower.

    >>> sort_keys(torch.tensor([[0.5, -1.0, 0.5]])).argsort(descending=True)
    tensor([[2, 0, 1]])
    """
    bits = (scores.to(torch.float32) + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal to 0.0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return (ordered.to(torch.int64) << 32) | torch.arange(scores.shape[-1], device=scores.device)


def _descending(keys: Tensor, depth: int | None) -> Tensor:
    """The highest keys of each row, highest first; on a CPU, NumPy sorts them many times faster than PyTorch."""
    if keys.device.type == "cpu":
        return torch.from_numpy(np.sort(keys.numpy(), axis=1)[:, ::-1][:, :depth].copy())
    return keys.sort(dim=1, descending=True).values[:, :depth]


def _matrix(rows: Sequence[Any], dtype: type[np.generic]) -> Tensor:
    """Rows of unequal lengths as a matrix, 0 past the end of each."""
    table = np.zeros((len(rows), max(map(len, rows), default=0)), dtype)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return torch.from_numpy(table)


@dataclass(frozen=True, slots=True)
class SortedIds(Sequence[tuple[str, ...]]):
    """Each query's documents in the order of their ids, sorted when they are asked for: millions are not kept twice."""

    candidates: Mapping[str, Iterable[str]]
    queries: tuple[str, ...]

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        return tuple(sorted(self.candidates.get(self.queries[place], ())))

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True, slots=True)
class Pool:
    """The documents that may be ranked for each judged query, with their grades: built once, ranked many times.

    `documents[q]` are in order of their ids; the matrices `[Q, D]` follow them: `grades` (negative ones as 0),
    `judged`, and `present`, which is false past the end of a shorter list. `ideal` as in `Ranked`.
    """

    queries: tuple[str, ...]
    documents: Sequence[tuple[str, ...]]
    grades: Tensor
    judged: Tensor
    present: Tensor
    ideal: Tensor

    @classmethod
    def of(cls, candidates: Mapping[str, Iterable[str]], qrels: Mapping[str, Grades]) -> Pool:
        """The pool of every query in `qrels`; one that `candidates` lacks has no documents."""
        grades: list[NDArray[np.int32]] = []
        judged: list[NDArray[np.bool_]] = []
        ideal: list[list[int]] = []
        documents = SortedIds(candidates, tuple(qrels))

        # One query at a time: what is kept of a pair are five bytes.
        for ids, known in zip(documents, qrels.values(), strict=True):
            grades.append(np.array([max(0, known.get(document, 0)) for document in ids], np.int32))
            judged.append(np.array([document in known for document in ids], np.bool_))
            ideal.append(sorted((grade for grade in known.values() if grade > 0), reverse=True))

        # As matrices, [Q, D] and [Q, R].
        present = [np.ones(len(row), np.bool_) for row in judged]
        return cls(
            tuple(qrels),
            documents,
            _matrix(grades, np.int32),
            _matrix(judged, np.bool_),
            _matrix(present, np.bool_),
            _matrix(ideal, np.int32),
        )

    def to(self, device: torch.device | str) -> Pool:
        """The same pool on another device."""
        matrices = (matrix.to(device) for matrix in (self.grades, self.judged, self.present, self.ideal))
        return Pool(self.queries, self.documents, *matrices)

    def ranked(self, scores: Tensor, *, depth: int | None = None) -> Ranked:
        """Rank the present documents by `scores` `[Q, D]`, to `depth`.

        Raises `DataError` for a score that is not a number.

        >>> pool = Pool.of({"q": ["a", "b", "c"]}, {"q": {"a": 3, "b": 1}})
        >>> pool.ranked(torch.tensor([[1.0, 1.0, 2.0]])).gains
        tensor([[0, 1, 3]], dtype=torch.int32)
        """
        present = self.present
        if bool((wrong := present & scores.isnan()).any()):
            row, column = (int(index) for index in wrong.nonzero()[0])
            pair = f"document {self.documents[row][column]!r} for query {self.queries[row]!r}"
            raise DataError(
                f"the score of {pair} is not a number", cure="look for an input or a loss that is not finite"
            )
        keys = _descending(sort_keys(scores).masked_fill_(~present, ABSENT), depth)
        inside = keys != ABSENT
        order = keys & 0xFFFFFFFF
        gains = self.grades.gather(1, order).masked_fill_(~inside, 0)
        length = present.sum(dim=1)
        lowest = torch.where(present, scores, torch.inf).amin(dim=1) if scores.shape[1] else length
        highest = torch.where(present, scores, -torch.inf).amax(dim=1) if scores.shape[1] else length
        tied = (lowest == highest) & (length > 1)
        return Ranked(gains, self.judged.gather(1, order) & inside, length, self.ideal, tied)
