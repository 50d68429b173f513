"""What a contrastive loss sees of a step: queries against the documents of all processes, as vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Contrast:
    """This process's B queries against the documents of a step: those of its Q queries, D each, over all processes.

    Query i's documents are columns i·D to i·D + D − 1 of the N = Q·D, its positive first. Of one process
    B = Q; where one of several has no query in the step, B = 0.
    """

    similarity: Callable[[Tensor, Tensor], Tensor]  # of encoded queries and documents, as a matrix, no temperature
    similarities: Tensor  # [B, N] of this process's queries with all documents
    paired: Tensor  # [Q, D] of all queries with their own documents
    mine: slice  # which of the Q queries are this process's
    rows: Tensor  # [N] which document each column is
    relevant: Tensor  # [Q, R] the documents judged relevant to a query, -1 where there are fewer
    grades: Tensor  # [Q, D]
    scale: Tensor  # 1 / temperature
    queries: Tensor  # [Q, P] or [Q, T, P]
    documents: Tensor  # [N, P] or [N, T, P]

    @property
    def own(self) -> Tensor:
        """The columns of this process's queries' own documents, `[B, D]`."""
        return own_columns(self.grades, self.mine)

    @property
    def positives(self) -> Tensor:
        """The columns of this process's queries' positives, `[B]`."""
        return self.own[:, 0]

    @property
    def own_similarities(self) -> Tensor:
        """Similarities of this process's queries with their own documents, `[B, D]`, the positive's first."""
        return self.paired[self.mine]

    @property
    def allowed(self) -> Tensor:
        """The documents that this process's queries are told from their positives, and these, `[B, N]`.

        A query's own of a lower grade, and others' that are not judged relevant to it.
        """
        grades = self.grades[self.mine]
        allowed = unrelated(self.rows, self.relevant[self.mine]).scatter(1, self.own, grades < grades[:, :1])
        return allowed.scatter(1, self.own[:, :1], True)


def own_columns(grades: Tensor, mine: slice) -> Tensor:
    """Where the documents of the queries `mine` are among the columns, `[B, D]` of grades `[Q, D]`.

    >>> own_columns(torch.zeros(3, 2), slice(1, 3)).tolist()
    [[2, 3], [4, 5]]
    """
    return torch.arange(grades.numel(), device=grades.device).view(grades.shape)[mine]


def unrelated(rows: Tensor, relevant: Tensor) -> Tensor:
    """Which documents `[N]` are not among a query's relevant ones `[Q, R]`: `[Q, N]`.

    >>> unrelated(torch.tensor([3, 5, 7]), torch.tensor([[5, -1], [7, 3]])).int().tolist()
    [[1, 0, 1], [0, 1, 0]]
    """
    return ~(rows[None, :, None] == relevant[:, None, :]).any(dim=-1)
