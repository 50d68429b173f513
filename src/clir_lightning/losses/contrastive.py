"""Contrastive losses of models that encode queries and documents apart: pure functions, thin modules over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.geometry import alignment, uniformity
from clir_lightning.losses.loss import RankingLoss


@dataclass(frozen=True)
class Contrast:
    """This process's B queries against the documents of a step: those of its Q queries, D each, over all processes.

    Query i's documents are columns i·D to i·D + D − 1 of the N = Q·D, its positive first. Of one process
    B = Q; where one of several has no query in the step, B = 0.
    """

    similarity: Callable[[Tensor, Tensor], Tensor]  # of encoded queries and documents, as a matrix, no temperature
    similarities: Tensor  # [B, N] of this process's queries with all documents
    paired: Tensor  # [Q, D] of all queries with their own documents
    own: Tensor  # [B, D] the columns of this process's queries' own documents
    mine: slice  # which of the Q queries are this process's
    rows: Tensor  # [N] which document each column is
    relevant: Tensor  # [Q, R] the documents judged relevant to a query, -1 where there are fewer
    grades: Tensor  # [Q, D]
    scale: Tensor  # 1 / temperature
    queries: Tensor  # [Q, P] or [Q, T, P]
    documents: Tensor  # [N, P] or [N, T, P]

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


class ContrastiveLoss(RankingLoss):
    """A loss that sees the whole step; other ranking losses see a query's own scores and labels `[B, D]` alone.

    A loss of each query is of this process's; a scalar is of all queries of the step, the same in every process.
    """

    needs: tuple[str, ...] = ("similarities",)

    def labels(self, batch: PairBatch | TextBatch) -> Tensor:
        """The grades `[B, D]`; `ConfigError` for pairs, which have no vectors of their own."""
        if not isinstance(batch, TextBatch):
            raise ConfigError(f"loss {type(self).__name__} needs vectors; use architecture=dual or architecture=late")
        return batch.grades

    def forward(self, contrast: Contrast) -> Tensor:
        """The loss of each query, `[B]`, or a scalar."""
        raise NotImplementedError


def unrelated(rows: Tensor, relevant: Tensor) -> Tensor:
    """Which documents `[N]` are not among a query's relevant ones `[Q, R]`: `[Q, N]`.

    >>> unrelated(torch.tensor([3, 5, 7]), torch.tensor([[5, -1], [7, 3]])).int().tolist()
    [[1, 0, 1], [0, 1, 0]]
    """
    return ~(rows[None, :, None] == relevant[:, None, :]).any(dim=-1)


def info_nce(logits: Tensor, positives: Tensor, allowed: Tensor) -> Tensor:
    """−log softmax of the positive among the allowed documents, `[B]` (van den Oord et al., 2018).

    `logits` `[B, N]` are similarities over the temperature, `positives` `[B]` columns. At full collapse, where all
    similarities are alike, it is ln N.

    >>> info_nce(torch.zeros(1, 4), torch.tensor([2]), torch.tensor([[True, True, True, False]]))  # ln 3
    tensor([1.0986])
    """
    chosen = allowed.scatter(1, positives[:, None], True)
    return -logits.masked_fill(~chosen, -torch.inf).log_softmax(dim=1).gather(1, positives[:, None])[:, 0]


def cosine_hinge(similarities: Tensor, margin: float = 0.5) -> Tensor:
    """max(0, margin − cos(q, d⁺) + cos(q, d⁻)), averaged over a query's negatives, `[B]`.

    `similarities` `[B, D]` holds the positive's first. At full collapse it is the margin.

    >>> cosine_hinge(torch.tensor([[0.9, 0.9], [0.9, 0.2]]))
    tensor([0.5000, 0.0000])
    """
    return torch.relu(margin - similarities[:, :1] + similarities[:, 1:]).mean(dim=1)


def triplet(similarities: Tensor, margin: float = 0.3) -> Tensor:
    """max(0, margin + ‖q − d⁺‖ − ‖q − d⁻‖) of unit vectors, averaged over a query's negatives, `[B]`.

    Cosines `[B, D]`, the positive's first; ‖a − b‖ = √(2 − 2·cos). FaceNet (Schroff et al., 2015) squares them.

    >>> triplet(torch.tensor([[1.0, 0.5]]), margin=1.2)  # 1.2 + 0 − 1
    tensor([0.2000])
    """
    distances = (2 - 2 * similarities).clamp(min=1e-12).sqrt()
    return torch.relu(margin + distances[:, :1] - distances[:, 1:]).mean(dim=1)


def cosent(similarities: Tensor, grades: Tensor, scale: float | Tensor = 20.0) -> Tensor:
    """CoSENT (Su, 2022): ln(1 + Σ exp(scale·(s_j − s_i))) over all pairs i, j of the batch with grade i > grade j.

    A query's pair may stand against another query's. A scalar.

    >>> cosent(torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]]))  # ln 2
    tensor(0.6931)
    """
    flat, order = scale * similarities.flatten(), grades.flatten()
    worse = flat[None, :] - flat[:, None]  # [i, j] s_j − s_i
    kept = worse[order[:, None] > order[None, :]]
    return torch.cat([torch.zeros(1, device=flat.device, dtype=flat.dtype), kept]).logsumexp(dim=0)


class InfoNCE(ContrastiveLoss):
    """Module over `info_nce`.

    Args:
        in_batch: the documents of other queries are negatives too; otherwise a query's own alone.
        symmetric: add the other direction, each positive document among the step's queries, and halve the sum.
    """

    def __init__(self, in_batch: bool = True, symmetric: bool = False, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.in_batch, self.symmetric = in_batch, symmetric
        self.documents = 1 if in_batch or symmetric else 2  # other queries' texts may suffice

    def forward(self, contrast: Contrast) -> Tensor:
        """The loss of each query, `[B]`."""
        allowed = contrast.allowed
        if not self.in_batch:
            allowed = allowed & torch.zeros_like(allowed).scatter(1, contrast.own, True)
        there = info_nce(contrast.similarities * contrast.scale, contrast.positives, allowed)
        if not self.symmetric:
            return there

        # Each positive of these queries against all queries of the step, `[B, Q]`.
        positives = contrast.documents[contrast.positives]
        logits = contrast.similarity(contrast.queries, positives).T * contrast.scale
        strangers = unrelated(contrast.rows[contrast.positives], contrast.relevant).T
        queries = torch.arange(logits.shape[1], device=logits.device)[contrast.mine]
        return (there + info_nce(logits, queries, strangers)) / 2


class CosineHinge(ContrastiveLoss):
    """Module over `cosine_hinge`."""

    needs = ("similarities", "cosines")
    reads_temperature = False

    def __init__(self, margin: float = 0.5, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.margin = margin

    def forward(self, contrast: Contrast) -> Tensor:
        """The loss of each query, `[B]`."""
        return cosine_hinge(contrast.own_similarities, self.margin)


class Triplet(ContrastiveLoss):
    """Module over `triplet`."""

    needs = ("similarities", "cosines")
    reads_temperature = False

    def __init__(self, margin: float = 0.3, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.margin = margin

    def forward(self, contrast: Contrast) -> Tensor:
        """The loss of each query, `[B]`."""
        return triplet(contrast.own_similarities, self.margin)


class CoSENT(ContrastiveLoss):
    """Module over `cosent`, with the model's temperature."""

    def forward(self, contrast: Contrast) -> Tensor:
        """A scalar."""
        return cosent(contrast.paired, contrast.grades, contrast.scale)


class AlignmentUniformity(ContrastiveLoss):
    """alignment · ‖q − d⁺‖² + uniformity · (that of the queries + that of the documents) / 2, for one vector a text."""

    needs = ("similarities", "vectors", "cosines")
    reads_temperature = False
    documents = 1  # other queries' documents suffice

    def __init__(self, alignment: float = 1.0, uniformity: float = 0.5, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.alignment, self.uniformity = alignment, uniformity

    def forward(self, contrast: Contrast) -> Tensor:
        """A scalar."""
        near = alignment(contrast.queries, contrast.documents[:: contrast.grades.shape[1]])
        even = (uniformity(contrast.queries) + uniformity(contrast.documents)) / 2
        return self.alignment * near + self.uniformity * even
