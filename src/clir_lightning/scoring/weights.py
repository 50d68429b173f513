"""A model's weights as parts of a fingerprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def weight_parts(weights: Mapping[str, Tensor]) -> Iterator[Any]:
    """Names, shapes and types in one text, then each weight's bytes."""
    yield repr([(name, tuple(weight.shape), str(weight.dtype)) for name, weight in weights.items()])
    for weight in weights.values():
        yield weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
