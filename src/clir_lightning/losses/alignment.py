"""Alignment of entities over languages: an entity's vectors find each other among those of other entities."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from clir_lightning.errors import ConfigError
from clir_lightning.settings.markers import Amount, Positive


def entity_alignment(vectors: Tensor, there: Tensor, entities: Tensor, temperature: float = 0.07) -> Tensor:
    """Symmetric InfoNCE of entities' vectors in two languages, a scalar; of more languages the mean over their pairs.

    Vectors are compared by cosine over the temperature, as in CLIP (Radford et al., 2021). An entity without a vector
    in either of two languages is left out of that pair of languages, and one that is there again counts once.

    Args:
        vectors: `[E, L, W]`, one per language.
        there: `[E, L]`, which of them there are; what stands in place of the others does not matter.
        entities: `[E]` numbers that tell entities apart.
        temperature: what cosines are divided by.

    >>> turned = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])  # each is the other's in L = 1
    >>> entity_alignment(turned, torch.ones(2, 2).bool(), torch.tensor([4, 7]), temperature=1.0)  # 1 + ln(1 + 1/e)
    tensor(1.3133)
    """
    # [E, E] cosines with what is absent as 0, so that nothing of it comes through.
    units = normalize(torch.where(there[:, :, None], vectors, 0.0), dim=-1)
    place = torch.arange(len(entities), device=entities.device)
    earlier = (entities[:, None] == entities) & (place[:, None] > place)
    losses = [vectors.new_zeros(()) + 0.0 * units.sum()]
    pairs = list(combinations(range(vectors.shape[1]), 2))
    for one, other in pairs:
        both = there[:, one] & there[:, other]
        kept = both & ~(earlier & both).any(dim=1)
        logits = units[:, one] @ units[:, other].T / temperature

        # Each kept entity's vector among those kept, there and back; a row of nothing stays finite.
        hidden = torch.finfo(logits.dtype).min
        forth = -logits.masked_fill(~kept, hidden).log_softmax(dim=1).diagonal()
        back = -logits.masked_fill(~kept[:, None], hidden).log_softmax(dim=0).diagonal()
        own = torch.where(kept, forth + back, 0.0).sum() / 2
        losses.append(own / kept.sum().clamp(min=1) / len(pairs))
    return torch.stack(losses).sum()


class EntityAlignment(nn.Module):
    """Module over `entity_alignment`, a setting of architectures that read a graph's texts.

    Args:
        weight: factor on the loss beside the ranking losses; 0: without it.
        temperature: what cosines are divided by.
    """

    def __init__(self, weight: Amount = 0.1, temperature: Positive = 0.07) -> None:
        super().__init__()
        if weight < 0 or temperature <= 0:
            problem = f"an alignment of weight {weight} and temperature {temperature}"
            raise ConfigError(f"{problem}; allowed: a weight of 0 or more and a temperature above 0")
        self.weight = weight
        self.temperature = temperature

    def forward(self, vectors: Tensor, there: Tensor, entities: Tensor) -> Tensor:
        """The weighted loss, a scalar."""
        return self.weight * entity_alignment(vectors, there, entities, self.temperature)
