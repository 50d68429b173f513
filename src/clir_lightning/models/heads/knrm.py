"""K-NRM: radial-basis kernels count soft matches (Xiong et al., 2017); CEDR adds [CLS] (MacAvaney et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clir_lightning.models.heads.signals import Signals
from clir_lightning.models.recomputing import recomputed


def soft_matches(similarity: Tensor, document_mask: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Σⱼ exp(−(Xᵢⱼ − μ)² / 2σ²) over the real document tokens j, `[P, L, Q]` of `[P, L, Q, D]` and one kernel.

    >>> soft_matches(torch.tensor([[[[0.6, 0.5]]]]), torch.tensor([[True, True]]), torch.tensor(0.5), torch.tensor(0.1))
    tensor([[[1.6065]]])
    """
    apart = (similarity - mu) / sigma
    kernel = torch.exp(-0.5 * apart.square())
    found: Tensor = torch.einsum("plqd,pd->plq", kernel, document_mask.to(kernel.dtype))
    return found


def kernel_pooling(similarity: Tensor, query_mask: Tensor, document_mask: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Soft match counts in log space, `[P, L, K]`, of similarities `[P, L, Q, D]` and K kernels.

    φₖ = Σᵢ log(Σⱼ exp(−(Xᵢⱼ − μₖ)² / 2σₖ²) + 10⁻⁶) over the real query tokens i and document tokens j. The masks act
    after the kernels: a padding's similarity of 0 would count at μ = 0.1 otherwise.

    >>> x = torch.tensor([[[[1.0, 0.0]]]])  # one query token, the second document token is padding
    >>> some, real = torch.tensor([[True]]), torch.tensor([[True, False]])
    >>> kernel_pooling(x, some, real, torch.tensor([0.9]), torch.tensor([0.1])).item()  # −½
    -0.499998...
    """
    kernels = zip(mu.unbind(), sigma.unbind(), strict=True)
    matches = [recomputed(soft_matches, similarity, document_mask, *kernel) for kernel in kernels]
    counts = torch.log(torch.stack(matches, dim=2) + 1e-6)  # [P, L, K, Q]
    return (counts * query_mask[:, None, None]).sum(dim=-1)


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
