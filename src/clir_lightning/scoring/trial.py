"""A trial of seconds: batches of several sizes through a model, for the fastest or for the largest that fits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
import torch

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.candidate_set import CandidateSet
from clir_lightning.data.tokens.texts import Texts
from clir_lightning.models.contracts import reads_texts
from clir_lightning.types import Run

ROUNDS = 5
SECONDS = 8.0  # after which no further batch begins
TIE = 0.03
ROWS = 64  # of the median length, that the batches are made of


def trial(model: Any, rows: PairBatch | Texts, sizes: Sequence[int], device: torch.device) -> dict[str, Any]:
    """The best of these numbers of tokens for batches of these rows, as `tokens`, and what was measured.

    On a GPU the largest whose memory fits in half of what is free, on a CPU the fastest.
    """
    batches = {size: repeated(rows, size).to(device) for size in sizes}
    return _largest(model, batches, device) if device.type == "cuda" else _fastest(model, batches)


def middle(candidates: CandidateSet) -> PairBatch | Texts:
    """About `ROWS` rows of pairs, or of documents, whose length is the median of some of the candidates."""
    # Queries with enough pairs between them; in batches sorted by length, the middle one has the median.
    few = {}
    listed = 0
    for query in islice(candidates.run, ROWS * 8):
        few[query] = candidates.run[query]
        listed += len(few[query])
        if listed >= ROWS * 8:
            break
    batches = replace(candidates.batches, score_tokens=None, score_size=ROWS)
    steps = list(batches.scoring(Run(few), candidates.dataset))

    # Of texts, the documents come first, and queries may take the middle.
    batch = candidates.dataset[steps[len(steps) // 2]]
    if isinstance(batch, PairBatch):
        return batch
    documents: Texts = batch.documents if len(batch.documents) else candidates.dataset[steps[0]].documents
    return documents


def repeated(rows: PairBatch | Texts, tokens: int) -> Any:
    """A batch of these rows, again and again, of at most `tokens` with padding, one row at least."""
    count, width = rows.input_ids.shape
    places = np.arange(max(1, tokens // width)) % count
    return rows.pairs(places) if isinstance(rows, PairBatch) else rows.rows(places)


def _compute(model: Any, batch: Any) -> None:
    """Score a batch of pairs, or encode one of documents, until it is done."""
    result = model.encode(batch, "document") if reads_texts(model) else model(batch)
    result.sum().item()


def _fastest(model: Any, batches: Mapping[int, Any]) -> dict[str, Any]:
    """The size of the most tokens a second, and what each had."""
    _compute(model, batches[min(batches)])  # memory is asked for, kernels are chosen
    rates = rates_of(batches, lambda size: _compute(model, batches[size]))
    return {"tokens": choose(rates), "tokens_a_second": {str(size): round(rate) for size, rate in rates.items()}}


def rates_of(
    batches: Mapping[int, Any], compute: Callable[[int], None], clock: Callable[[], float] = time.perf_counter
) -> dict[int, float]:
    """The median rate of each size in turns, the smallest first, over `ROUNDS` or as many as `SECONDS` allow.

    A size whose turn does not come within `SECONDS` is missing.
    """
    seconds: dict[int, list[float]] = {}
    end = clock() + SECONDS
    for size in _turns(batches):
        start = clock()
        if start > end and seconds:
            break
        compute(size)
        seconds.setdefault(size, []).append(clock() - start)
    return {size: batches[size].input_ids.numel() / median(times) for size, times in seconds.items()}


def _turns(batches: Mapping[int, Any]) -> Iterator[int]:
    for _ in range(ROUNDS):
        yield from sorted(batches)


def choose(rates: Mapping[int, float]) -> int:
    """The smallest size that is not slower than the fastest by more than `TIE`.

    >>> choose({1024: 90.0, 2048: 98.0, 4096: 100.0, 8192: 70.0})
    2048
    """
    enough = (1 - TIE) * max(rates.values())
    return min(size for size, rate in rates.items() if rate >= enough)


def _largest(model: Any, batches: Mapping[int, Any], device: torch.device) -> dict[str, Any]:
    """The largest size whose memory fits in half of what is free on a GPU, and what each took."""
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info(device)[0]
    took: dict[int, int] = {}

    def peak(size: int) -> int:
        """Bytes that a batch takes beside the model."""
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        _compute(model, batches[size])
        took[size] = torch.cuda.max_memory_allocated(device) - before
        return took[size]

    tokens = largest(sorted(batches), peak, free // 2)
    return {"tokens": tokens, "free": free, "bytes": {str(size): taken for size, taken in took.items()}}


def largest(sizes: Sequence[int], peak: Callable[[int], int], room: int) -> int:
    """The largest of ascending sizes that takes no more than `room`; the first if none does.

    One that would surely take more, going by the one before it, is not tried: twice the tokens take twice the memory.
    """
    fits = sizes[0]
    for size in sizes:
        try:
            took = peak(size)
        except torch.OutOfMemoryError:
            break
        if took > room:
            break
        fits = size
        if 2 * took > room:
            break
    return fits
