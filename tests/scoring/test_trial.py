"""A trial of batch sizes: what is computed in which turn, which size wins, and what fits in a GPU's memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from clir_lightning.scoring.trial import ROUNDS, choose, largest, rates_of, repeated, trial
from models.fakes import texts


class Clock:
    """Each call is told when the work before it ended."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def batches(*sizes: int) -> dict[int, Any]:
    return {size: SimpleNamespace(input_ids=torch.zeros(1, size)) for size in sizes}


def test_sizes_take_turns_and_their_median_counts() -> None:
    clock = Clock()
    turns: list[int] = []
    # One round in which something else ran beside it: 10 s instead of 1 and 2, but for the limit.
    seconds = {1: [0.1, 0.1, 0.1, 0.1, 1.0], 2: [0.4, 0.1, 0.1, 0.1, 0.1]}

    def compute(size: int) -> None:
        clock.now += seconds[size][turns.count(size)]
        turns.append(size)

    rates = rates_of(batches(2, 1), compute, clock)
    assert turns == [1, 2] * ROUNDS
    assert rates == pytest.approx({1: 1 / 0.1, 2: 2 / 0.1})


def test_a_slow_model_is_not_tried_for_longer_than_the_limit() -> None:
    """3 s a batch: three batches begin within 8 s, and the size that had no turn is no candidate."""
    clock = Clock()

    def compute(size: int) -> None:
        clock.now += 3.0

    assert rates_of(batches(1, 2, 3, 4), compute, clock) == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 1})


def test_a_model_slower_than_the_limit_is_tried_once() -> None:
    clock = Clock()

    def compute(size: int) -> None:
        clock.now += 100.0

    assert rates_of(batches(5, 6), compute, clock) == pytest.approx({5: 0.05})


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({1024: 97.0, 2048: 98.0, 4096: 100.0}, 1024),  # 3 % slower is as fast
        ({1024: 96.9, 2048: 98.0, 4096: 100.0}, 2048),
        ({1024: 100.0, 2048: 99.0}, 1024),
        ({1024: 50.0, 2048: 100.0, 4096: 99.0}, 2048),
    ],
)
def test_ties_go_to_the_smaller(rates: dict[int, float], expected: int) -> None:
    assert choose(rates) == expected


def test_rows_are_repeated_up_to_the_tokens_and_one_at_least() -> None:
    rows = texts([5, 6, 7], [8, 9])
    assert repeated(rows, 13).input_ids.tolist() == [[5, 6, 7], [8, 9, 0], [5, 6, 7], [8, 9, 0]]
    assert repeated(rows, 1).input_ids.tolist() == [[5, 6, 7]]


@pytest.mark.parametrize(
    ("room", "fits", "tried"),
    [
        (1000, 80, [10, 20, 40, 80]),
        (80, 80, [10, 20, 40, 80]),
        (79, 40, [10, 20, 40]),  # 80 would take 80: not tried
        (9, 10, [10]),  # nothing fits: the smallest, which is cut further when memory runs out
    ],
)
def test_the_largest_that_fits(room: int, fits: int, tried: list[int]) -> None:
    asked: list[int] = []

    def peak(size: int) -> int:
        asked.append(size)
        return size

    assert largest([10, 20, 40, 80], peak, room) == fits
    assert asked == tried


def test_running_out_of_memory_ends_the_search() -> None:
    def peak(size: int) -> int:
        if size > 20:
            raise torch.OutOfMemoryError
        return 1

    assert largest([10, 20, 40], peak, 1000) == 20


def test_a_gpus_memory_is_read_around_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated GPU with 400 bytes free, 50 of them reached by the model: a token takes 3."""
    peak = {"bytes": 0}

    class Model(torch.nn.Module):
        def forward(self, batch: Any) -> torch.Tensor:
            peak["bytes"] = max(peak["bytes"], 50 + 3 * batch.input_ids.numel())
            return torch.zeros(1)

    class Rows(SimpleNamespace):
        def to(self, device: torch.device) -> Any:
            return self

    monkeypatch.setattr("clir_lightning.scoring.trial.repeated", lambda _, size: Rows(input_ids=torch.zeros(size)))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (400, 1000))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 50)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: peak["bytes"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: peak.update(bytes=0))
    rows: Any = None
    found = trial(Model(), rows, [16, 32, 64, 128], torch.device("cuda", 0))
    assert found == {"tokens": 64, "free": 400, "bytes": {"16": 48, "32": 96, "64": 192}}
