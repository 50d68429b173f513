"""What a head scores a pair by."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Signals:
    """P pairs: the averaged [CLS] state, and at each of L levels the cosine of each query and document token.

    Features of the architecture stand behind [CLS], H counts them.
    """

    cls: Tensor  # [P, H]
    similarity: Tensor  # [P, L, Q, D], 0 at padding; L is 0 for heads that use none
    query_mask: Tensor  # [P, Q], True at tokens
    document_mask: Tensor  # [P, D]
