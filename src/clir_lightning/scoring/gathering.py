"""Tensors of all processes in every process: rows with gradients, sums and maxima without."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import pad

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.scoring.processes import world


def own_queries(batch: PairBatch | TextBatch) -> int:
    """How many queries a process brings to a training step: none where its only one stands in with weight 0.

    A process that has no query in a step makes the others' passes with one of theirs (`TrainingBatches`); that one is
    no second query of the step, no negative of another and no part of a mean.
    """
    return len(batch.samples) if any(batch.weights) or not batch.weights else 0


class _Gather(torch.autograd.Function):
    """All processes' tensors of one shape, stacked; backward, each gets the sum of what all made of its own."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)  # others may read what came in
        dist.all_reduce(total)
        return total[dist.get_rank()]


def gather_rows(tensor: Tensor, fill: float = 0) -> tuple[Tensor, slice]:
    """The rows of all processes' tensors `[N, …]` below each other, with gradients, and which are this process's.

    Processes may have unlike numbers of rows, none among them; smaller tensors are padded with `fill` in the other
    dimensions only. With the average over processes that DistributedDataParallel takes, the gradient is that of the
    mean of the processes' losses. Alone, the tensor itself.
    """
    rank, size = world()
    if size == 1:
        return tensor, slice(0, len(tensor))

    # All processes' shapes, since a collective wants tensors of one shape: that of the largest in each dimension.
    mine = torch.tensor(tensor.shape, device=tensor.device)
    shapes = [torch.empty_like(mine) for _ in range(size)]
    dist.all_gather(shapes, mine)
    largest = torch.stack(shapes).amax(dim=0)
    behind = [int(count) for missing in reversed((largest - mine).tolist()) for count in (0, missing)]
    gathered: Tensor = _Gather.apply(pad(tensor, behind, value=fill))  # type: ignore[no-untyped-call]

    # The rows that a process was padded with are left out again.
    counts = [int(shape[0]) for shape in shapes]
    rows = torch.cat([part[:count] for part, count in zip(gathered, counts, strict=True)])
    first = sum(counts[:rank])
    return rows, slice(first, first + counts[rank])


def summed(values: Tensor) -> Tensor:
    """The sum of all processes' tensors of one shape, without gradients."""
    total = values.detach().clone()
    if world()[1] > 1:
        dist.all_reduce(total)
    return total


def greatest(count: int, device: torch.device) -> int:
    """The greatest of all processes' numbers."""
    if world()[1] == 1:
        return count
    most = torch.tensor(count, device=device)
    dist.all_reduce(most, op=dist.ReduceOp.MAX)
    return int(most)
