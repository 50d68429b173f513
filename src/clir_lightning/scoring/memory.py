"""Scoring that survives running out of memory: the token budget is halved and the batch computed in parts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.tokens.texts import Texts

log = logging.getLogger(__name__)

Part = TypeVar("Part", PairBatch, Texts)


class TokenBudget:
    """Computes batches whole until memory runs out, then in parts of half the tokens, and remembers the budget."""

    def __init__(self) -> None:
        self.tokens: int | None = None  # with padding; None: memory has sufficed so far

    def __call__(self, compute: Callable[[Part], Tensor], whole: Part) -> list[tuple[Part, Tensor]]:
        """The parts that `whole` was computed in, in order, each with what came of it.

        A single text, or a single query with its documents, that does not fit raises what torch raised.
        """
        while True:
            parts = [whole] if self.tokens is None else _cut(whole, self.tokens)
            try:
                return [(part, compute(part)) for part in parts]
            except torch.OutOfMemoryError:
                if all(_entries(part) == 1 for part in parts):
                    raise
                self.tokens = max(part.input_ids.numel() for part in parts) // 2

            # Outside of `except`, where the traceback no longer holds the tensors.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            log.warning("out of memory while scoring: going on with %d tokens per batch", self.tokens)


def _cut(whole: Part, tokens: int) -> list[Part]:
    """Parts of at most `tokens` with padding, where an entry alone has no more."""
    if whole.input_ids.numel() <= tokens:
        return [whole]
    if isinstance(whole, Texts):
        return list(whole.parts(max(1, tokens // whole.input_ids.shape[1])))
    return list(whole.parts(tokens))


def _entries(part: PairBatch | Texts) -> int:
    """What a part can be cut between: texts, or queries with their documents."""
    return len(part) if isinstance(part, Texts) else len(part.samples)
