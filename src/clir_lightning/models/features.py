"""Features of a pair beside its tokens, joined to what a head reads of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import ConfigError, at_least

Widths = Mapping[str, int]


def width_of(features: Widths | None) -> int:
    """The numbers of a pair that these features add; `ConfigError` for one of none.

    >>> width_of({"topics": 60, "overlap": 1}), width_of(None)
    (61, 0)
    """
    for name, width in (features or {}).items():
        at_least(width, 1, f"architecture.features.{name}")
    return sum((features or {}).values())


def joined(vectors: Tensor, batch: PairBatch, features: Widths | None) -> Tensor:
    """The pairs' vectors `[N, H]` with their features behind them, `[N, H + Σ widths]`.

    Raises `ConfigError` where the batch has no feature of a name, or one of another width.
    """
    parts = [vectors]
    for name, width in (features or {}).items():
        if name not in batch.extra:
            problem = f"architecture.features has {name}, which batches.features does not make"
            raise ConfigError(f"{problem}; it makes {', '.join(batch.extra) or 'none'}")
        rows = batch.extra[name]
        given = math.prod(rows.shape[1:])
        if given != width:
            problem = (
                f"architecture.features.{name} is {width}, and batches.features.{name} gives {given} numbers a pair"
            )
            raise ConfigError(f"{problem}; set features.{name}={given}")
        parts.append(rows.reshape(len(rows), width).to(vectors.dtype))
    return torch.cat(parts, dim=1) if len(parts) > 1 else vectors
