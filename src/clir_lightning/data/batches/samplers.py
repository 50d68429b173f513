"""Which samples form a training step: fixed-size or token-budget batches."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from clir_lightning.data.batches.pairs import Step
from clir_lightning.errors import ConfigError
from clir_lightning.types import Sample

Lengths = NDArray[np.int64]
MEGA_BATCH = 2048  # queries that are sorted by length among themselves


def cut_by_budget(lengths: Lengths, *, width: int, tokens: int | None, size: int | None) -> list[slice]:
    """Cut a list sorted by length, the longest first, into batches of at most `tokens` with padding and `size` entries.

    `width` is the number of rows that an entry takes. An entry that alone exceeds the budget is a batch of its own.

    >>> cut_by_budget(np.array([9, 5, 4, 4, 1]), width=1, tokens=12, size=None)
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    cuts = []
    start = 0
    while start < len(lengths):
        room = len(lengths) if tokens is None else max(1, tokens // (width * int(lengths[start])))
        stop = min(start + room, len(lengths), start + (size or len(lengths)))
        cuts.append(slice(start, stop))
        start = stop
    return cuts


def cut_by_cells(cells: Lengths, *, tokens: int, size: int | None) -> list[slice]:
    """Cut N entries, in their order, into batches of at most `tokens` cells with padding and `size` entries.

    `cells` `[N, K]` is what an entry takes of each of K tables that are padded apart: a batch of B entries takes B
    times the sum of the tables' greatest. An entry that alone exceeds the budget is a batch of its own.

    >>> cut_by_cells(np.array([[1, 9], [8, 1], [1, 1]]), tokens=18, size=None)  # the first two would take 2 · (8 + 9)
    [slice(0, 1, None), slice(1, 3, None)]
    """
    cuts = []
    start = 0
    widest = [0] * cells.shape[1]  # of the entries from `start`, in each table

    # An entry that would make its batch too large, being wide or one too many, begins the next one.
    for place, entry in enumerate(cells.tolist()):
        wider = list(map(max, widest, entry))
        count = place - start + 1
        too_large = count * sum(wider) > tokens or (size is not None and count > size)
        if count > 1 and too_large:
            cuts.append(slice(start, place))
            start = place
            wider = entry
        widest = wider
    return [*cuts, slice(start, len(cells))] if len(cells) else []


class TrainingBatches(Sampler[Step]):
    """The steps of an epoch: the same whole batches for any number of processes, of which each takes its share.

    `draw(epoch)` gives the samples of an epoch in their order. Without a token budget they are cut into batches of
    `size` queries in that order. With one, they are sorted by length within mega-batches, cut so that no batch takes
    more than `tokens` cells, and the batches shuffled from `(seed, epoch)`. All epochs have as many steps as the one
    that needs the most, so that schedules know their end: spare steps come from halving the largest batches.

    Both limits hold for a whole step, over all processes. Weights make each query of an epoch count the same: the
    gradient averaged over processes is the sum over the step's queries, divided by the mean number of queries per step.
    A process without a query in a step repeats the step's first one with weight 0.

    Args:
        draw: the samples of an epoch, as many in each.
        size: queries in a batch; `None` for no such limit.
        tokens: cells in a batch, tokens and padding; `None` for no such limit.
        cells: what samples take of each table that is padded apart, `[N, K]`; needed with `tokens`.
        epochs: with `tokens`, how many there will be: all of them are drawn to count their steps.
        seed: of the batches' order.
        rank, world_size: this process and the number of processes.
    """

    def __init__(
        self,
        draw: Callable[[int], list[Sample]],
        *,
        size: int | None = 32,
        tokens: int | None = None,
        cells: Callable[[Sequence[Sample]], Lengths] | None = None,
        epochs: int = 1,
        seed: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.draw = draw
        self.size = size
        self.tokens = tokens
        self.cells = cells
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.skip = 0  # steps of the next pass that a resumed training has behind it

        # The last epoch first: the first one is drawn last and is still there when its batches are asked for.
        counted = range(1 if tokens is None else epochs)
        self.steps = max(len(self._cut(draw(epoch), epoch)) for epoch in reversed(counted))

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def _cut(self, samples: list[Sample], epoch: int) -> list[list[Sample]]:
        """An epoch's samples in whole batches, over all processes."""
        if self.tokens is None or self.cells is None:
            size = self.size or len(samples)
            return [samples[start : start + size] for start in range(0, len(samples), size)]
        batches = []
        for start in range(0, len(samples), MEGA_BATCH):
            mega = samples[start : start + MEGA_BATCH]
            cells = self.cells(mega)
            order = np.argsort(-cells.sum(axis=1), kind="stable")
            for cut in cut_by_cells(cells[order], tokens=self.tokens, size=self.size):
                batches.append([mega[i] for i in order[cut]])
        random.Random(f"{self.seed}/{epoch}/steps").shuffle(batches)
        return batches

    def _fit(self, batches: list[list[Sample]]) -> list[list[Sample]]:
        """As many batches as there are steps, if there are samples enough: the largest are halved."""
        while len(batches) < self.steps:
            at = max(range(len(batches)), key=lambda i: len(batches[i]))
            if len(batches[at]) < 2:
                break
            half = len(batches[at]) // 2
            batches[at : at + 1] = [batches[at][:half], batches[at][half:]]
        return batches

    def batches(self, epoch: int) -> list[list[Sample]]:
        """The whole batches of an epoch, over all processes; `ConfigError` for one that needs more than all counted."""
        batches = self._cut(self.draw(epoch), epoch)
        if len(batches) > self.steps:
            raise ConfigError(
                f"epoch {epoch} needs {len(batches)} steps, the epochs that were counted {self.steps} at most; "
                "trainer.max_epochs must count it, and a sampling give as many samples in every epoch"
            )
        return self._fit(batches)

    def __iter__(self) -> Iterator[Step]:
        batches = self.batches(self.epoch)

        # A loss is the mean over a process's share, and gradients are averaged over processes: a weight of
        # share · processes / mean makes each query count 1 / mean. With batches of a fixed size the mean is that size,
        # so that full batches weigh 1 and only the last, smaller one weighs less.
        mean = float(len(batches[0])) if self.tokens is None else sum(map(len, batches)) / len(batches)

        # A resumed training enters its first epoch where it was left, and later ones at their start.
        skip = self.skip
        self.skip = 0

        # A process that has no query makes the others' passes with one of theirs, at weight 0.
        for batch in batches[skip:]:
            share = batch[self.rank :: self.world_size]
            weight = len(share) * self.world_size / mean
            yield Step(share or batch[:1], weight, whole=batch)
