"""Tensors of all processes in every process, with gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import pad


def world() -> tuple[int, int]:
    """This process's number and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class _Gather(torch.autograd.Function):
    """All processes' tensors of one shape, stacked; backward, each gets the sum of what all made of its own."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total[dist.get_rank()]


def gather_rows(tensor: Tensor, fill: float = 0) -> Tensor:
    """The tensors `[N, …]` of all processes below each other, `[W·M, …]`, with gradients; alone, the tensor itself.

    Smaller ones are padded with `fill` in every dimension to the largest, M rows. With the average over processes that
    DistributedDataParallel takes, the gradient is that of the mean of the processes' losses.
    """
    if world()[1] == 1:
        return tensor
    mine = torch.tensor(tensor.shape, device=tensor.device)
    shapes = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(shapes, mine)
    most = torch.stack(shapes).amax(dim=0)
    behind = [int(size) for missing in reversed((most - mine).tolist()) for size in (0, missing)]
    padded = pad(tensor, behind, value=fill)
    gathered: Tensor = _Gather.apply(padded)  # type: ignore[no-untyped-call]
    return gathered.flatten(0, 1)
