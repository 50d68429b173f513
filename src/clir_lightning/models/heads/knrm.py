"""K-NRM: radial-basis kernels count soft matches (Xiong et al., 2017); CEDR adds [CLS] (MacAvaney et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clir_lightning.models.heads.signals import Signals


def kernel_pooling(similarity: Tensor, query_mask: Tensor, document_mask: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Soft match counts in log space, `[P, L, K]`, of similarities `[P, L, Q, D]` and K kernels.

    φₖ = Σᵢ log(Σⱼ exp(−(Xᵢⱼ − μₖ)² / 2σₖ²) + 10⁻⁶) over the real query tokens i and document tokens j. The masks act
    after the kernels: a padding's similarity of 0 would count at μ = 0.1 otherwise.

    >>> x = torch.tensor([[[[1.0, 0.0]]]])  # one query token, the second document token is padding
    >>> some, real = torch.tensor([[True]]), torch.tensor([[True, False]])
    >>> kernel_pooling(x, some, real, torch.tensor([0.9]), torch.tensor([0.1])).item()  # −½
    -0.499998...
    """
    apart = (similarity[:, :, None] - mu[:, None, None]) / sigma[:, None, None]  # [P, L, K, Q, D]
    matches = (torch.exp(-0.5 * apart.square()) * document_mask[:, None, None, None]).sum(dim=-1)
    return (torch.log(matches + 1e-6) * query_mask[:, None, None]).sum(dim=-1)


class KNRM(nn.Module):
    """A linear layer over 11 kernels at each level, joined with [CLS].

    The kernels stand at −0.9, −0.7, …, 0.9 with σ 0.1 and at 1 with σ 0.001 (exact matches); all are learnt.

    Args:
        width: of the [CLS] state, H.
        channels: similarity matrices, L.
    """

    uses_similarity = True

    def __init__(self, *, width: int, channels: int) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.cat([torch.linspace(-0.9, 0.9, 10), torch.ones(1)]))
        self.sigma = nn.Parameter(torch.tensor([0.1] * 10 + [0.001]))
        self.combine = nn.Linear(channels * len(self.mu) + width, 1)

    def forward(self, signals: Signals) -> Tensor:
        """Scores `[P]`."""
        masks = signals.query_mask, signals.document_mask
        features = kernel_pooling(signals.similarity, *masks, self.mu, self.sigma).flatten(1)
        scores: Tensor = self.combine(torch.cat([features, signals.cls], dim=1)).squeeze(1)
        return scores
