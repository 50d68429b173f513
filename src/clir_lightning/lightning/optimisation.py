"""`Optimisation`: which parameter learns how fast, and how that changes over the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn
from transformers import SchedulerType, get_scheduler

from clir_lightning.models.encoder import Encoder
from clir_lightning.settings.markers import Amount, OneOf, Range, Share
from clir_lightning.settings.values import check_fields

SCHEDULES = [str(kind.value) for kind in SchedulerType]

# Whose AdamW can go over each weight once, in a single kernel; 4 to 8 times as fast on a CPU (docs/lab-notes.md).
FUSED = ("cpu", "cuda")


def flush_denormals() -> None:
    """Let numbers below 1e-38 be zero: a CPU computes with them ten times more slowly.

    The moments of a token that comes no more shrink by a tenth each step, into that range after some 700 steps, and by
    rounding never out of it. To be called before torch computes anything: its threads take the setting over as they
    start.
    """
    torch.set_flush_denormal(True)


@dataclass(frozen=True)
class Optimisation:
    """AdamW with a warm-up and a decay.

    Args:
        learning_rate: the encoder's top layer's at its peak.
        head_learning_rate: the same for all that is not the encoder; `None` for the same value.
        layer_decay: factor on the learning rate of each layer below the top one; above 0, 1 for none.
        weight_decay: not applied to biases and normalisation weights, which are vectors.
        schedule: its name in transformers, `linear` or `constant_with_warmup` among them.
        warmup: share of all steps over which the learning rate rises from 0.
    """

    learning_rate: Amount = 1e-5
    head_learning_rate: Amount | None = None
    layer_decay: Annotated[float, Range(above=0, most=1)] = 1.0
    weight_decay: Amount = 0.01
    schedule: Annotated[str, OneOf(SCHEDULES)] = "linear"
    warmup: Share = 0.1

    def __post_init__(self) -> None:
        check_fields(self, "optimizer")

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Groups for an optimiser: layers at learning_rate · decay^(layers above), the head at its own rate."""
        # How high each of the encoder's parameters lies; those of other modules have no level.
        level: dict[int, int] = {}
        for part in model.modules():
            if isinstance(part, Encoder):
                level |= part.levels()
        top = max(level.values(), default=0)
        head = self.learning_rate if self.head_learning_rate is None else self.head_learning_rate

        # Parameters of one rate and one weight decay together.
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for parameter in model.parameters():
            if parameter.requires_grad:
                known = id(parameter) in level
                rate = self.learning_rate * self.layer_decay ** (top - level[id(parameter)]) if known else head
                decay = self.weight_decay if parameter.ndim > 1 else 0.0
                groups.setdefault((rate, decay), []).append(parameter)
        return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]

    def start(self, model: nn.Module, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """The optimiser of a model's weights, and its schedule over this many steps."""
        fused = all(weight.device.type in FUSED for weight in model.parameters())
        optimizer = torch.optim.AdamW(self.groups(model), lr=self.learning_rate, fused=fused)

        # A fused step could undo the scaling of fp16 itself, but gradients are clipped before it, without their scale.
        optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
        warmup = round(self.warmup * steps)
        return optimizer, get_scheduler(self.schedule, optimizer, num_warmup_steps=warmup, num_training_steps=steps)
