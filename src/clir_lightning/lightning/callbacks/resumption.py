"""`Resumption`: what Lightning leaves out when training goes on from a checkpoint."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed


def states() -> dict[str, Any]:
    """This process's generators of torch, NumPy and Python, as tensors and plain values."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002  the global one is what others draw from
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
        "python": list(random.getstate()),
    }


def set_states(state: dict[str, Any]) -> None:
    """Set what `states` gave."""
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))


class Resumption(pl.Callback):
    """Goes on within an epoch at the very batch, and with the very states of the random number generators.

    Data loaders draw from generators of their own, so that a step's dropout depends on the steps before it alone. With
    another number of processes than saved the states are set for those that have one.
    """

    def __init__(self) -> None:
        self._loaded: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """The states by process; all processes take part."""
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        gathered: list[Any] = [None] * (torch.distributed.get_world_size() if together else 1)
        if together:
            torch.distributed.all_gather_object(gathered, states())
        else:
            gathered[0] = states()
        return {"processes": gathered}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the states until training goes on: what is built before would draw from them."""
        self._loaded = state_dict["processes"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make the training loader again.

        Lightning made it when the schedule asked for the number of steps, before it read how far training had come, and
        would start the epoch anew.
        """
        if self._loaded:
            trainer.fit_loop._combined_loader = None
            trainer.fit_loop.setup_data()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set what was loaded."""
        if trainer.global_rank < len(self._loaded):
            set_states(self._loaded[trainer.global_rank])
        self._loaded = []
