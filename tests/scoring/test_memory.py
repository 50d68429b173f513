"""Out of memory while scoring: the budget is halved, remembered, and changes nothing but the sizes of the parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.tokens.texts import Texts
from clir_lightning.scoring.memory import TokenBudget
from clir_lightning.types import Sample


def texts(*lengths: int) -> Texts:
    """Texts of ones, of these lengths."""
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return Texts(mask, mask, None)


def batch(*lengths: int) -> PairBatch:
    """The same as queries with two documents of one length each."""
    rows = texts(*(length for length in lengths for _ in range(2)))
    samples = tuple(Sample(str(i), ("a", "b"), (1, 0)) for i in range(len(lengths)))
    return PairBatch(rows.input_ids, rows.attention_mask, None, torch.zeros(len(lengths), 2), samples)


class Memory:
    """Adds up each row's tokens, and has room for so many with padding."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sizes: list[int] = []

    def __call__(self, part: PairBatch | Texts) -> Tensor:
        self.sizes.append(part.input_ids.numel())
        if self.sizes[-1] > self.room:
            raise torch.OutOfMemoryError("injected")
        return part.input_ids.sum(dim=1)


def test_texts_are_encoded_whole_until_memory_runs_out_and_then_in_halves() -> None:
    budget, memory = TokenBudget(), Memory(12)
    lengths = (8, 6, 5, 4, 3, 3)
    parts = budget(memory, texts(*lengths))
    assert torch.cat([sums for _, sums in parts]).tolist() == list(lengths)
    # 48 cells do not fit, nor do 24 and then 3 rows of 8; after 24 // 2 there is one row at a time, of its own length
    assert memory.sizes == [48, 24, 8, 6, 5, 4, 3, 3]
    assert [len(part) for part, _ in parts] == [1] * 6
    assert budget.tokens == 12

    # Remembered: four texts of 3 fit as they are, and five go in parts from the start.
    memory.sizes.clear()
    assert len(budget(memory, texts(3, 3, 3, 3))) == 1
    assert [len(part) for part, _ in budget(memory, texts(3, 3, 3, 3, 2))] == [4, 1]
    assert memory.sizes == [12, 12, 2]


def test_pairs_are_cut_between_queries() -> None:
    budget, memory = TokenBudget(), Memory(20)
    parts = budget(memory, batch(5, 4, 3, 2))
    assert torch.cat([sums for _, sums in parts]).tolist() == [5, 5, 4, 4, 3, 3, 2, 2]
    assert memory.sizes == [40, 20, 12]
    assert [len(part.samples) for part, _ in parts] == [2, 2]


@pytest.mark.parametrize("whole", [texts(4, 4), batch(4, 4)], ids=["texts", "pairs"])
def test_a_text_or_query_that_does_not_fit_alone_is_raised(whole: Any) -> None:
    memory = Memory(3)
    with pytest.raises(torch.OutOfMemoryError):
        TokenBudget()(memory, whole)
    assert len(memory.sizes) == 2  # whole, and one alone
