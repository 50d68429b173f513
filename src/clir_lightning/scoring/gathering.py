"""Tensors of all processes in every process: rows with gradients, sums and maxima without."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.scoring.processes import gather_objects, world
from clir_lightning.scoring.vectors import TextVectors


def own_queries(batch: PairBatch | TextBatch) -> int:
    """How many queries a process brings to a training step: none where its only one stands in with weight 0.

    A process that has no query in a step makes the others' passes with one of theirs (`TrainingBatches`); that one is
    not a second query of the step, nor a negative of another, nor part of a mean.
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

    Processes may have unequal numbers of rows, none among them; smaller tensors are padded with `fill` in the other
    dimensions only. With the average over processes that DistributedDataParallel takes, the gradient is that of the
    mean of the processes' losses. Alone, the tensor itself.
    """
    rank, size = world()
    if size == 1:
        return tensor, slice(0, len(tensor))

    # All processes' shapes, since a collective wants tensors of one shape: that of the largest in each dimension.
    shapes = _numbers(list(tensor.shape))
    largest = map(max, zip(*shapes, strict=True))
    missing = [most - own for most, own in zip(largest, tensor.shape, strict=True)]
    behind = [count for lacking in reversed(missing) for count in (0, lacking)]
    gathered: Tensor = _Gather.apply(pad(tensor, behind, value=fill))  # type: ignore[no-untyped-call]

    # The rows that a process was padded with are left out again.
    counts = [shape[0] for shape in shapes]
    rows = torch.cat([part[:count] for part, count in zip(gathered, counts, strict=True)])
    first = sum(counts[:rank])
    return rows, slice(first, first + counts[rank])


BLOCK = 1 << 14  # vectors of each process that are under way at a time


def gather_vectors(mine: TextVectors, device: torch.device) -> TextVectors:
    """The vectors of all processes' texts, in the order of the processes; alone `mine` itself.

    Processes may have unequal numbers of texts, none among them; no two have the same one. Vectors go through `device`,
    where the processes' group works, in blocks.
    """
    if world()[1] == 1:
        return mine

    # What every process brings: its texts' numbers, how many vectors each has, and of what kind they are.
    numbers, counts, own = mine.outline()
    kind = (mine.tokens, own.shape[1], own.dtype) if len(numbers) else None
    outlines = gather_objects((numbers.tolist(), counts, kind))
    kinds = [found for _, _, found in outlines if found is not None]
    gathered = TextVectors()
    if not kinds:
        return gathered
    tokens, width, dtype = kinds[0]

    # All of a process's vectors below each other, [Σ counts, P], and the same of all processes.
    own = own if len(numbers) else torch.zeros(0, width, dtype=dtype)
    everyone = _gather_blocks(own, [int(counts.sum()) for _, counts, _ in outlines], device)
    for (theirs, counts, _), vectors in zip(outlines, everyone, strict=True):
        gathered.add(theirs, vectors, counts if tokens else None)
    return gathered


def _gather_blocks(own: Tensor, totals: list[int], device: torch.device) -> list[Tensor]:
    """Each process's `[N, P]` on the CPU, of which `totals` names the N; `own` is this one's."""
    found: list[list[Tensor]] = [[own[:0]] for _ in totals]
    for start in range(0, max(totals), BLOCK):
        size = min(BLOCK, max(totals) - start)
        block = own.new_zeros(size, own.shape[1])
        block[: max(0, len(own) - start)] = own[start : start + size]

        # Blocks of one shape, as a collective wants them; a process's padding is left out again.
        block = block.to(device)
        parts = [torch.empty_like(block) for _ in totals]
        dist.all_gather(parts, block)
        for kept, part, total in zip(found, parts, totals, strict=True):
            kept.append(part[: max(0, total - start)].cpu())
    return [torch.cat(kept) for kept in found]


def summed(values: Tensor) -> Tensor:
    """The sum of all processes' tensors of one shape, without gradients."""
    total = values.detach().clone()
    if world()[1] > 1:
        dist.all_reduce(total)
    return total


def greatest(count: int) -> int:
    """The greatest of all processes' numbers."""
    return count if world()[1] == 1 else max(number for (number,) in _numbers([count]))


def _numbers(mine: list[int]) -> list[list[int]]:
    """Every process's few numbers, from host to host: no device is waited for, as a collective of NCCL's would need."""
    own = torch.tensor(mine)
    found = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(found, own, group=_hosts(dist.group.WORLD))
    return [numbers.tolist() for numbers in found]


@lru_cache(maxsize=1)
def _hosts(everyone: Any) -> Any:
    """The group `everyone`, or where that exchanges tensors of GPUs alone one that does those of hosts."""
    return everyone if dist.get_backend(everyone) == "gloo" else dist.new_group(backend="gloo")


def greatest_of_each(bits: NDArray[np.int32], device: torch.device) -> None:
    """In place of each number of an array `[N]` the greatest that any process has there."""
    if world()[1] > 1:
        everyones = torch.from_numpy(bits).to(device)
        dist.all_reduce(everyones, op=dist.ReduceOp.MAX)
        bits[:] = everyones.cpu().numpy()
