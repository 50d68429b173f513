"""Which parameter learns how fast."""

from __future__ import annotations

from typing import Any

from torch import nn

from clir_lightning.errors import ConfigError
from clir_lightning.models.encoder import Encoder


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    head_learning_rate: float | None = None,
    layer_decay: float = 1.0,
    weight_decay: float = 0.0,
) -> list[dict[str, Any]]:
    """Groups for an optimiser: the encoder's layers at learning_rate · decay^(layers above), the head at its own rate.

    Biases and normalisation weights, which are vectors, are not decayed.
    """
    if not 0 < layer_decay <= 1:
        raise ConfigError(f"optimizer.layer_decay is {layer_decay}; allowed: above 0, 1 for none")
    level: dict[int, int] = {}
    for part in model.modules():
        if isinstance(part, Encoder):
            level |= part.levels()
    top = max(level.values(), default=0)
    head = learning_rate if head_learning_rate is None else head_learning_rate
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            known = id(parameter) in level
            rate = learning_rate * layer_decay ** (top - level[id(parameter)]) if known else head
            groups.setdefault((rate, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]
