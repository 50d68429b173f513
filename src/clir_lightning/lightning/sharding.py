"""`Sharded`: weights, gradients and optimiser states in parts over the processes (FSDP2), for large encoders."""

from __future__ import annotations

from typing import Any

from pytorch_lightning.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

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


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Share out a model's weights over the processes of `mesh`, each layer of its encoders on its own."""
    if isinstance(model, FSDPModule):
        return  # shared out for training already
    for part in list(model.modules()):
        for block in getattr(part, "blocks", ()):
            fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for name in METHODS:
        if hasattr(model, name):
            register_fsdp_forward_method(model, name)


def gather(model: nn.Module) -> None:
    """Hold all weights in every process from here on: scoring, where processes have unlike numbers of batches."""
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_reshard_after_forward(False, recurse=False)
            part.unshard()


def release(model: nn.Module) -> None:
    """Share the weights out again after scoring."""
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_reshard_after_forward(part is not model, recurse=False)
            part.reshard()
