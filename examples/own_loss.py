"""A loss of your own, from Python and from the command line.

    python examples/own_loss.py
    PYTHONPATH=examples CLIR_ALLOW=own_loss clir train loss=[] +loss.exponential._target_=own_loss.Exponential

`CLIR_ALLOW` names the packages of yours that a configuration may use: a model from elsewhere cannot run code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clir_lightning.losses import ScoreLoss


class Exponential(ScoreLoss):
    """exp(−(s⁺ − s⁻)), as RankBoost has it (Freund et al., 2003): the mean over a query's other documents.

    >>> Exponential()(torch.tensor([[1.0, 0.0]]), torch.tensor([[6, 0]]))
    tensor([0.3679])
    """

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The loss of each query, `[B]`, from scores and grades `[B, D]`, the best document first."""
        gaps = scores[:, :1] - scores[:, 1:]  # [B, D - 1]
        return torch.exp(-gaps).mean(dim=1)


if __name__ == "__main__":
    from train_from_python import train

    print(train({"exponential": Exponential()}, steps=30).means)
