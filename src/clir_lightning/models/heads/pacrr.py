"""PACRR: convolutions over similarity matrices (Hui et al., 2017); CEDR adds [CLS] (MacAvaney et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from clir_lightning.models.heads.signals import Signals
from clir_lightning.models.recomputing import recomputed
from clir_lightning.settings.markers import Count


def strongest_filter(similarity: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The greatest of F n×n filters at each place, none below 0, `[P, Q, D]` of `[P, L, Q, D]`.

    `weight` `[F, L, n, n]`, `bias` `[F]`. A window begins at its place; behind the ends there are zeros.
    """
    behind = weight.shape[-1] - 1
    return conv2d(pad(similarity, (0, behind, 0, behind)), weight, bias).amax(dim=1).relu()


def strongest(features: Tensor, query_mask: Tensor, document_mask: Tensor, top: int) -> Tensor:
    """The `top` largest of features `[P, Q, D]`, none of them below 0, per query token over real document tokens.

    `[P, Q, top]`; 0 at padding and where a document has fewer tokens than that.

    >>> x = torch.tensor([[[0.2, 0.5, 0.9]]])  # the last document token is padding
    >>> strongest(x, torch.tensor([[True]]), torch.tensor([[True, True, False]]), top=2).tolist()
    [[[0.5, 0.2...]]]
    """
    kept = features * (query_mask[:, :, None] & document_mask[:, None])
    return pad(kept, (0, max(0, top - kept.shape[2]))).topk(top, dim=2).values


class PACRR(nn.Module):
    """n×n convolutions for n = 1 … `longest`, the maximum over filters, the `top` signals of each query token.

    Those of all query tokens, joined with [CLS], go through layers of `hidden`, `hidden` and 1.

    Args:
        width: of the [CLS] state, H.
        channels: similarity matrices, L.
        query_length: query tokens, Q; padded places give 0.
        longest: widest convolution.
        filters: of each convolution.
        top: signals per query token and convolution.
        hidden: width of the two layers at the end.
    """

    uses_similarity = True

    def __init__(
        self,
        *,
        width: int,
        channels: int,
        query_length: Count = 20,
        longest: Count = 3,
        filters: Count = 32,
        top: Count = 2,
        hidden: Count = 32,
    ) -> None:
        super().__init__()
        self.top = top
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, filters, n) for n in range(1, longest + 1))
        self.combine = nn.Sequential(
            nn.Linear(query_length * longest * top + width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, signals: Signals) -> Tensor:
        """Scores `[P]`."""
        found = []
        for convolution in self.convolutions:
            windows = recomputed(strongest_filter, signals.similarity, convolution.weight, convolution.bias)
            found.append(strongest(windows, signals.query_mask, signals.document_mask, self.top))
        features = torch.cat(found, dim=2).flatten(1)
        scores: Tensor = self.combine(torch.cat([features, signals.cls], dim=1)).squeeze(1)
        return scores
