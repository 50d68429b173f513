"""Scoring that survives running out of memory: the token budget is halved and the batch scored in parts."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch

log = logging.getLogger(__name__)


class HalvingScorer:
    """Scores batches whole until memory runs out, then in parts of half the tokens, and remembers the budget."""

    def __init__(self) -> None:
        self.token_limit: int | None = None

    def __call__(self, model: Callable[[PairBatch], Tensor], batch: PairBatch) -> Tensor:
        """Scores `[B, D]`. A single query with its documents that does not fit raises what torch raised."""
        while True:
            size = batch.input_ids.numel() if self.token_limit is None else self.token_limit
            parts = [batch] if batch.input_ids.numel() <= size else list(batch.parts(size))
            try:
                return torch.cat([model(part) for part in parts])
            except torch.OutOfMemoryError:
                if all(len(part.samples) == 1 for part in parts):
                    raise
                self.token_limit = max(part.input_ids.numel() for part in parts) // 2
            # Outside of `except`, where the traceback no longer holds the tensors.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            log.warning("out of memory while scoring: going on with %d tokens a batch", self.token_limit)
