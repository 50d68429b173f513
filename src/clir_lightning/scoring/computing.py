"""Where, and in which precision, a trained model scores outside of its training: one decision for every verb."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from clir_lightning.errors import one_of
from clir_lightning.scoring.precision import PRECISIONS, precision_for

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Computing:
    """A device and a precision, one of `PRECISIONS`."""

    device: torch.device = CPU
    precision: str = "32-true"

    @property
    def dtype(self) -> torch.dtype | None:
        """What autocasting computes in; `None` where there is none."""
        return PRECISIONS[self.precision]

    def context(self) -> AbstractContextManager[Any]:
        """The context to score in."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)


def device_for(setting: str, gpus: int) -> torch.device:
    """The device for a setting on a machine with this many GPUs: `auto` is the first of them, or else the CPU.

    >>> device_for("auto", 0), device_for("auto", 2), device_for("cuda:1", 2)
    (device(type='cpu'), device(type='cuda', index=0), device(type='cuda', index=1))
    """
    numbered = [f"cuda:{number}" for number in range(gpus)]
    one_of(setting, ["auto", "cpu", *(["cuda"] if gpus else []), *numbered], "device")
    if setting == "cpu" or not gpus:
        return CPU
    return torch.device(numbered[0] if setting in ("auto", "cuda") else setting)


def computing(
    device: str = "auto",
    precision: str | int | None = None,
    *,
    trained: str | int | None = None,
    gpus: int | None = None,
) -> Computing:
    """The device and the precision for these settings, on this machine.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        precision: as `precision_for` takes it; `None` for that of the training.
        trained: `trainer.precision` of the training.
        gpus: how many this machine has; `None` counts them.

    Raises `ConfigError`.

    >>> computing("cpu", trained="16-mixed").precision, computing(trained="16-mixed", gpus=1).precision
    ('bf16-mixed', '16-mixed')
    """
    place = device_for(device, torch.cuda.device_count() if gpus is None else gpus)
    setting = trained if precision is None else precision
    return Computing(place, precision_for(setting, gpu=place.type == "cuda", name="precision"))
