"""`Sharded`: weights, gradients and optimiser states in parts over the processes (FSDP2), for large encoders."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

from clir_lightning.models.encoder import Encoder
from clir_lightning.scoring.gathering import greatest

Ints = NDArray[np.int64]
METHODS = ("encode", "scale")  # of dual models, called beside `forward`


class Sharded(ModelParallelStrategy):
    """Lightning's FSDP2 strategy with all processes as one data-parallel group, and whole checkpoints.

    A checkpoint is one file, as without it: `clir evaluate`, `resume=auto` and any number of processes can read it.
    The first process assembles it in its main memory.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False, **settings)

    def setup_environment(self) -> None:
        """Start the processes' group."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()


def shard(model: nn.Module, mesh: DeviceMesh, dtype: torch.dtype | None = None) -> None:
    """Share out a model's weights over the processes of `mesh`, each layer of its encoders on its own.

    Args:
        model: the architecture.
        mesh: the processes.
        dtype: of the copies of layers and token vectors that processes send each other and compute with; `None` for
            that of the weights. Each process's own share, its gradients and their sums keep 32 bits, and so does what
            stands on the encoder, which scores in 32 bits.
    """
    if isinstance(model, FSDPModule):
        return  # shared out for training already

    # A layer's 32-bit inputs are cast as its weights are; token vectors are looked up by whole numbers.
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=None if dtype is None else torch.float32)
    for part in list(model.modules()):
        if isinstance(part, Encoder):
            for block in part.blocks:
                fully_shard(block, mesh=mesh, mp_policy=policy)
            fully_shard(part.model.get_input_embeddings(), mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh)
    for name in METHODS:
        if hasattr(model, name):
            register_fsdp_forward_method(model, name)


def equally_often(places: Ints, size: int) -> list[Ints]:
    """`places` `[N]` in parts of `size`, as many in every process: a pass through sharded weights takes them all.

    A process with fewer of its own repeats its last place, alone, for each part that it lacks; what comes of those
    stands behind the N results, to be cut off there, which leaves them a gradient of 0.
    """
    parts = np.split(places, range(size, len(places), size))
    lacking = greatest(len(parts)) - len(parts)
    return parts + [places[-1:]] * lacking


def hold_whole(model: nn.Module) -> None:
    """Hold all weights in every process from here on: for scoring, where processes have unequal numbers of batches."""
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_reshard_after_forward(False, recurse=False)
            part.unshard()


def share_out(model: nn.Module) -> None:
    """Share the weights out again after scoring."""
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_reshard_after_forward(part is not model, recurse=False)
            part.reshard()
