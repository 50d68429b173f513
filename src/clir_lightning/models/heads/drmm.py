"""DRMM: match histograms (Guo et al., 2016); CEDR adds [CLS] (MacAvaney et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clir_lightning.models.heads.signals import Signals
from clir_lightning.settings.markers import Count


def log_histogram(similarity: Tensor, document_mask: Tensor, bins: int) -> Tensor:
    """log(1 + count) of the similarities in each of `bins` bins, `[P, L, Q, bins]` of `[P, L, Q, D]`.

    Bin b < bins − 1 holds [−1 + 2b/(bins − 1), −1 + 2(b + 1)/(bins − 1)); the last one holds exact matches alone.

    >>> x = torch.tensor([[[[1.0, 0.3, 0.25, 0.0]]]])  # the last document token is padding
    >>> log_histogram(x, torch.tensor([[True, True, True, False]]), 5).expm1().round().int().tolist()
    [[[[0, 0, 2, 0, 1]]]]
    """
    weights = document_mask[:, None].to(similarity.dtype).expand(-1, similarity.shape[2], -1)  # [P, Q, D]
    counts = similarity.new_zeros(*similarity.shape[:-1], bins)

    # Level by level: a place in a histogram takes twice the memory of a similarity.
    for level, found in zip(similarity.detach().unbind(dim=1), counts.unbind(dim=1), strict=True):
        places = ((level + 1.000001) / 2 * (bins - 1)).long().clamp(0, bins - 1)
        found.scatter_add_(-1, places, weights)
    return torch.log1p(counts)


class DRMM(nn.Module):
    """Each query token's histograms of all levels with [CLS] → `hidden` → 1, summed over the query tokens.

    Counting has no gradient: the encoder learns through [CLS] alone. CEDR's own code takes log(count + 10⁻⁵); that
    sends −11.5 of every empty bin into the few ReLU units, which are then dead in some seeds (docs/results.md).

    Args:
        width: of the [CLS] state, H.
        channels: similarity matrices, L.
        bins: of a histogram.
        hidden: width of the layer between.
    """

    uses_similarity = True

    def __init__(self, *, width: int, channels: int, bins: Count = 11, hidden: Count = 5) -> None:
        super().__init__()
        self.bins = bins
        self.combine = nn.Sequential(nn.Linear(channels * bins + width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, signals: Signals) -> Tensor:
        """Scores `[P]`."""
        histograms = log_histogram(signals.similarity, signals.document_mask, self.bins)
        features = histograms.transpose(1, 2).flatten(2)  # [P, Q, L·bins]
        cls = signals.cls[:, None].expand(-1, features.shape[1], -1)
        scores: Tensor = self.combine(torch.cat([features, cls], dim=2)).squeeze(2)
        return (scores * signals.query_mask).sum(dim=1)
