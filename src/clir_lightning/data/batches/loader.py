"""`StepLoader`: the loader of whole steps, which a resumed training enters where it was left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

if TYPE_CHECKING:  # scoring does without Lightning, whose import takes seconds
    import pytorch_lightning as pl


class StepLoader(DataLoader[Any]):
    """A loader that a resumed training enters where it was left: Lightning asks for its state and gives it back."""

    trainer: pl.Trainer | None = None  # of training loaders

    def bound_for(self, device: torch.device) -> StepLoader:
        """This loader, whose batches will go to `device`: for a GPU they lie where it copies from by itself."""
        self.pin_memory = device.type == "cuda"
        return self

    def state_dict(self) -> dict[str, int]:
        """The steps of this epoch that training has taken, whatever has been fetched ahead."""
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress if self.trainer else None
        return {"steps": progress.current.processed if progress else 0}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Leave those steps out of the next epoch."""
        self.sampler.skip = state_dict["steps"]  # type: ignore[attr-defined]
