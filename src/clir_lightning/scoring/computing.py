"""Where, and in which precision, a trained model scores outside of its training: one decision for every verb."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from clir_lightning.data.batches.settings import CPU_TOKENS
from clir_lightning.errors import one_of
from clir_lightning.limits import usable_cores
from clir_lightning.scoring.precision import PRECISIONS, precision_for
from clir_lightning.scoring.processes import world
from clir_lightning.scoring.tensor_cores import use_tensor_cores

CPU = torch.device("cpu")
GPU_TOKENS = 32768  # of a scoring batch; a CPU takes what its caches hold the states of


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

    @contextmanager
    def scoring(self, model: nn.Module) -> Iterator[None]:
        """Within, the model is here, in this precision, without dropout and gradients; its mode returns at the end."""
        use_tensor_cores(self.device)
        training = model.training
        model.eval().to(self.device)
        try:
            with torch.inference_mode(), self.context():
                yield
        finally:
            model.train(training)


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


def device_name(device: torch.device) -> str:
    """The name of a GPU's or of this machine's processor's model."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    with suppress(OSError):
        if found := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M):
            return found[1]
    return platform.processor() or platform.machine()


def cores() -> int:
    """The processor cores that this process has for itself beside the others of its job on this machine."""
    processes = world()[1]
    return max(1, usable_cores() // min(processes, torch.cuda.device_count() or processes))


def tokens_for(device: torch.device) -> int:
    """The tokens of a scoring batch where nothing measured tells better.

    >>> tokens_for(torch.device("cpu")), tokens_for(torch.device("cuda", 1))
    (4096, 32768)
    """
    return CPU_TOKENS if device.type == "cpu" else GPU_TOKENS


def workers_for(setting: int | str, device: torch.device, cores: int) -> int:
    """How many processes assemble batches beside one that computes on `device` and has so many `cores` for itself.

    `auto` is none on a CPU, where a worker would take a core from the model (batches of 47,000 pairs a second are
    assembled in the process itself), and one for each four cores beside a GPU, 1 to 4.

    >>> [workers_for("auto", torch.device("cuda"), cores) for cores in (2, 12, 64)], workers_for("auto", CPU, 64)
    ([1, 3, 4], 0)
    >>> workers_for(6, CPU, 2)
    6
    """
    if isinstance(setting, int):
        return setting
    return 0 if device.type == "cpu" else min(4, max(1, cores // 4))


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
