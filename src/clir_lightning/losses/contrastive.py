"""Contrastive losses of models that encode queries and documents apart: pure functions, thin modules over them."""

from __future__ import annotations

import torch
from torch import Tensor

from clir_lightning.evaluation.geometry import alignment, uniformity
from clir_lightning.losses.contrast import Contrast, unrelated
from clir_lightning.losses.loss import VectorLoss
from clir_lightning.settings.markers import Amount, Positive


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
    flat = scale * similarities.flatten()
    order = grades.flatten()
    worse = flat[None, :] - flat[:, None]  # [i, j] s_j − s_i
    kept = worse.masked_fill(order[:, None] <= order[None, :], -torch.inf)
    return torch.cat([flat.new_zeros(1), kept.flatten()]).logsumexp(dim=0)


class InfoNCE(VectorLoss):
    """Module over `info_nce`.

    Args:
        in_batch: the documents of other queries are negatives too; otherwise a query's own alone.
        symmetric: add the other direction, each positive document among the step's queries, and halve the sum.
    """

    def __init__(self, in_batch: bool = True, symmetric: bool = False, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        self.in_batch = in_batch
        self.symmetric = symmetric
        if not (in_batch or symmetric):  # otherwise other queries' texts suffice
            self.needs = (*self.needs, "lists", "pairs")

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


class CosineHinge(VectorLoss):
    """Module over `cosine_hinge`."""

    needs = ("similarities", "cosines", "lists", "pairs")
    reads_temperature = False

    def __init__(self, margin: float = 0.5, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        self.margin = margin

    def forward(self, contrast: Contrast) -> Tensor:
        """The loss of each query, `[B]`."""
        return cosine_hinge(contrast.own_similarities, self.margin)


class Triplet(VectorLoss):
    """Module over `triplet`."""

    needs = ("similarities", "cosines", "lists", "pairs")
    reads_temperature = False

    def __init__(self, margin: float = 0.3, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        self.margin = margin

    def forward(self, contrast: Contrast) -> Tensor:
        """The loss of each query, `[B]`."""
        return triplet(contrast.own_similarities, self.margin)


class CoSENT(VectorLoss):
    """Module over `cosent`, with the model's temperature."""

    needs = ("similarities", "lists", "pairs")

    def forward(self, contrast: Contrast) -> Tensor:
        """A scalar."""
        return cosent(contrast.paired, contrast.grades, contrast.scale)


class AlignmentUniformity(VectorLoss):
    """alignment · ‖q − d⁺‖² + uniformity · (that of the queries + that of the documents) / 2; one vector per text."""

    needs = ("similarities", "vectors", "cosines")  # other queries' documents suffice
    reads_temperature = False

    def __init__(self, alignment: Amount = 1.0, uniformity: Amount = 0.5, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        self.alignment = alignment
        self.uniformity = uniformity

    def forward(self, contrast: Contrast) -> Tensor:
        """A scalar."""
        near = alignment(contrast.queries, contrast.documents[:: contrast.grades.shape[1]])
        even = (uniformity(contrast.queries) + uniformity(contrast.documents)) / 2
        return self.alignment * near + self.uniformity * even
