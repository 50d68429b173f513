"""What a topic model is trained by, as pure functions: divergence from the prior, likelihood of words, alignment."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def prior_variance(topics: int, alpha: float) -> float:
    """The variance of the normal distribution whose softmax comes nearest to a symmetric Dirichlet(α) of K topics.

    Laplace's approximation (MacKay, 1998; Srivastava and Sutton, 2017): (1 − 2/K)/α + 1/(K·α), around a mean of 0.

    >>> prior_variance(20, 1.0), prior_variance(2, 0.5)
    (0.95, 1.0)
    """
    return (1 - 1 / topics) / alpha


def divergence(mean: Tensor, log_variance: Tensor, prior: float) -> Tensor:
    """KL divergence `[N]` of N texts' diagonal normal distributions from the normal around 0 with variance `prior`.

    ½ Σₖ (σ²ₖ/s + μ²ₖ/s − 1 + log s − log σ²ₖ), of `mean` μ and `log_variance` log σ², both `[N, K]`.

    >>> divergence(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2), 1.0)
    tensor([0.5000])
    """
    ratio = log_variance - torch.tensor(prior, device=mean.device).log()
    return 0.5 * (ratio.exp() + mean.square() / prior - 1 - ratio).sum(dim=1)


def log_likelihood(counts: Tensor, logits: Tensor) -> Tensor:
    """The log probability `[N]` of each text's words, without the constant of their order.

    Σᵥ nᵥ · log softmax(logits)ᵥ, of `counts` n and `logits`, both `[N, V]`: a product of experts, for topics are mixed
    before the softmax (ProdLDA).

    >>> log_likelihood(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]))  # 3 · log ½
    tensor([-2.0794])
    """
    return (counts * torch.log_softmax(logits, dim=1)).sum(dim=1)


def alignment(queries: Tensor, documents: Tensor, linked: Tensor, temperature: float = 0.2) -> Tensor:
    """InfoCTM's mutual information between the topics of linked terms in two languages, negative, as a loss.

    For each term with a link, the mean over its links j of −log(exp(sⱼ) / (exp(sⱼ) + Σ exp(sₙ))), where s are cosines
    over the temperature and n the other language's terms that it is not linked to; the mean over the terms of a
    language, and over both (Wu et al., 2023). 0 where nothing is linked.

    Args:
        queries, documents: topics of A and B terms, `[A, K]` and `[B, K]`.
        linked: `[A, B]`, whether one is the translation of the other.
        temperature: above 0.

    >>> same = torch.eye(2)
    >>> alignment(same, same, same.bool(), temperature=1.0)  # −log(e / (e + 1))
    tensor(0.3133)
    """
    cosines = normalize(queries, dim=1) @ normalize(documents, dim=1).T / temperature
    return (_towards(cosines, linked) + _towards(cosines.T, linked.T)) / 2


def _towards(cosines: Tensor, linked: Tensor) -> Tensor:
    """The loss of the rows' terms, of `[A, B]`."""
    # log Σ exp over the terms that are not linked; −∞ where all are.
    others = cosines.masked_fill(linked, -torch.inf).logsumexp(dim=1, keepdim=True)
    losses = torch.logaddexp(cosines, others) - cosines

    # Each row's mean over its links, then the mean of the rows that have any.
    links = linked.sum(dim=1)
    each = losses.masked_fill(~linked, 0).sum(dim=1) / links.clamp(min=1)
    return each.sum() / (links > 0).sum().clamp(min=1)
