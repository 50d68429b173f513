"""Which samples form a step: fixed-size or token-budget batches, for training and for scoring."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from clir_lightning.data.batching import Step
from clir_lightning.types import Run, Sample

Lengths = NDArray[np.int64]
MEGA_BATCH = 2048  # queries that are sorted by length among themselves


def cut_by_budget(lengths: Lengths, *, width: int, tokens: int | None, size: int | None) -> list[slice]:
    """Cut a list sorted by length, the longest first, into batches of at most `tokens` with padding and `size` entries.

    `width` is the number of rows that an entry takes. An entry that alone exceeds the budget is a batch of its own.

    >>> cut_by_budget(np.array([9, 5, 4, 4, 1]), width=1, tokens=12, size=None)
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    cuts, start = [], 0
    while start < len(lengths):
        room = len(lengths) if tokens is None else max(1, tokens // (width * int(lengths[start])))
        stop = min(start + room, len(lengths), start + (size or len(lengths)))
        cuts.append(slice(start, stop))
        start = stop
    return cuts


class TrainingBatches(Sampler[Step]):
    """The steps of an epoch: the same whole batches for any number of processes, of which each takes its share.

    `draw(epoch)` gives the samples of an epoch in their order. Without a token budget they are cut into batches of
    `size` queries in that order. With one, they are sorted by length within mega-batches, cut so that rows times
    the longest row stays within `tokens`, and the batches shuffled from `(seed, epoch)`. All epochs have as many steps
    as the first one was given, so that schedules know their end: spare steps come from halving the largest batches.

    Both limits hold for a whole step, over all processes. Weights make each query of an epoch count the same: the
    gradient averaged over processes is the sum over the step's queries, divided by the mean number of queries a step.
    A process without a query in a step repeats the step's first one with weight 0.
    """

    def __init__(
        self,
        draw: Callable[[int], list[Sample]],
        *,
        size: int | None = 32,
        tokens: int | None = None,
        lengths: Callable[[Sequence[Sample]], Lengths] | None = None,
        seed: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.draw, self.size, self.tokens, self.lengths, self.seed = draw, size, tokens, lengths, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self.skip = 0  # steps of the next pass that a resumed training has behind it
        samples = draw(0)
        first = len(self._cut(samples, 0))
        self.steps = first if tokens is None else min(first + max(1, first // 50), len(samples))

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def _cut(self, samples: list[Sample], epoch: int) -> list[list[Sample]]:
        if self.tokens is None or self.lengths is None:
            size = self.size or len(samples)
            return [samples[start : start + size] for start in range(0, len(samples), size)]
        batches = []
        for start in range(0, len(samples), MEGA_BATCH):
            mega = samples[start : start + MEGA_BATCH]
            lengths = self.lengths(mega)
            order = np.argsort(-lengths, kind="stable")
            width = len(mega[0].document_ids)
            for cut in cut_by_budget(lengths[order], width=width, tokens=self.tokens, size=self.size):
                batches.append([mega[i] for i in order[cut]])
        random.Random(f"{self.seed}/{epoch}/steps").shuffle(batches)
        return batches

    def _fit(self, batches: list[list[Sample]]) -> list[list[Sample]]:
        """Exactly `self.steps` batches, if there are samples enough: the largest are halved, the smallest joined."""
        while len(batches) < self.steps:
            at = max(range(len(batches)), key=lambda i: len(batches[i]))
            if len(batches[at]) < 2:
                break
            half = len(batches[at]) // 2
            batches[at : at + 1] = [batches[at][:half], batches[at][half:]]
        while len(batches) > self.steps:
            batches.sort(key=len, reverse=True)
            batches[-2:] = [batches[-2] + batches[-1]]
        return batches

    def batches(self, epoch: int) -> list[list[Sample]]:
        """The whole batches of an epoch, over all processes."""
        return self._fit(self._cut(self.draw(epoch), epoch))

    def __iter__(self) -> Iterator[Step]:
        batches = self.batches(self.epoch)
        mean = sum(map(len, batches)) / len(batches)
        if self.tokens is None:
            mean = float(len(batches[0]))  # so that a full batch of the fixed size has weight 1
        skip, self.skip = self.skip, 0
        for batch in batches[skip:]:
            share = batch[self.rank :: self.world_size]
            yield Step(share, len(share) * self.world_size / mean) if share else Step(batch[:1], 0.0)


class ScoringBatches(Sampler[Step]):
    """Every (query, document) pair of a run once, as samples of one document, in batches of like length.

    Longest first: the first batch shows whether memory suffices, and little is padded. Processes take turns; one
    that has none left for it scores the first once more, since Lightning leaves a pass without batches out, in that
    process alone.

    Args:
        candidates: the pairs.
        lengths: tokens of each pair of a query with documents.
        size: pairs in a batch; `None` for no such limit.
        tokens: tokens in a batch, padding included; `None` for no such limit.
        rank, world_size: this process and the number of processes.
    """

    def __init__(
        self,
        candidates: Run,
        *,
        lengths: Callable[[str, Sequence[str]], Lengths],
        size: int | None = 128,
        tokens: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.queries = [query for query in candidates if len(candidates[query])]
        self.documents = [list(candidates[query]) for query in self.queries]
        pairs = [lengths(query, part) for query, part in zip(self.queries, self.documents, strict=True)]
        self.bounds = np.cumsum([0, *map(len, self.documents)])
        flat = np.concatenate([np.zeros(0, np.int64), *pairs])
        self.order = np.argsort(-flat, kind="stable")
        cuts = cut_by_budget(flat[self.order], width=1, tokens=tokens, size=size)
        self.cuts = cuts[rank::world_size] or cuts[:1]

    def __len__(self) -> int:
        return len(self.cuts)

    def _sample(self, pair: int) -> Sample:
        query = int(np.searchsorted(self.bounds, pair, side="right")) - 1
        return Sample(self.queries[query], (self.documents[query][pair - self.bounds[query]],), (0,))

    def __iter__(self) -> Iterator[Step]:
        for cut in self.cuts:
            yield Step([self._sample(pair) for pair in self.order[cut]])
