"""The paths that a single GPU takes, against the same computed plainly, most of it on the CPU in 32 bits."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from benchmarks.gpu_check import Check, Machine, Outcome, Skipped, at_most
from benchmarks.gpu_material import EXACT, SMALL, batch, folder, greatest_difference, lengths, training_batches
from torch import Tensor
from torch.utils.data import DataLoader

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.lightning.callbacks.interruption import FiniteLoss
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.losses.pairwise import SoftmaxHinge
from clir_lightning.models import varlen
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.loading import EncoderSettings

SCORES = 1e-5  # how far scores may lie apart in 32 bits
GRADIENTS = 1e-4  # and gradients, as a share of the greatest
HALF = 0.15  # and scores in bfloat16 or TF32 in the mean: three digits, over four layers; a CPU's bfloat16 has .02
INT8 = 0.3  # and in 8 bits


class Rows:
    """Rows end to end, as attention without padding is told of them."""

    def __init__(self, sizes: list[int], device: torch.device) -> None:
        self.lengths = tuple(sizes)
        self.bounds = torch.tensor([0, *torch.tensor(sizes).cumsum(0)], dtype=torch.int32, device=device)


def model() -> CrossEncoder:
    """A model without dropout, on the CPU, the same at each call."""
    encoder = Encoder(folder(EXACT), EncoderSettings(dropout=0.0))
    torch.manual_seed(2)
    return CrossEncoder(encoder, dropout=0.0)


def pairs() -> PairBatch:
    """Sixteen queries with two documents each."""
    return batch(lengths(32).tolist(), documents=2)


def scores(made: CrossEncoder, rows: PairBatch, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """On a device; `dtype` is what autocasting computes in."""
    made.to(device).eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype is not None):
        found: Tensor = made(rows.to(device))
    return found.float().cpu()


def _precisely(compute: Callable[[], Any], precision: str = "highest") -> Any:
    """What is computed with products of 32-bit numbers at this precision."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        return compute()
    finally:
        torch.set_float32_matmul_precision(before)


def full(machine: Machine) -> Outcome:
    """Scores in 32 bits, no TF32, are the CPU's."""
    right = scores(model(), pairs(), torch.device("cpu"))
    found = _precisely(lambda: scores(model(), pairs(), machine.device))
    return at_most(greatest_difference(found, right), SCORES)


def gradients(machine: Machine) -> Outcome:
    """Gradients in 32 bits, no TF32, are the CPU's."""

    def of(device: torch.device) -> dict[str, Tensor]:
        made = model().to(device)
        rows = pairs().to(device)
        torch.autograd.backward(SoftmaxHinge()(made(rows), rows.grades).mean())
        return {name: weight.grad for name, weight in made.named_parameters() if weight.grad is not None}

    right = of(torch.device("cpu"))
    found = _precisely(lambda: of(machine.device))
    return at_most(apart(found, right), GRADIENTS)


def apart(found: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """The greatest difference as a share of the greatest gradient of all; keys' biases have none but rounding."""
    greatest = max(float(gradient.abs().max()) for gradient in right.values())
    return max(greatest_difference(found[name], right[name]) for name in right) / greatest


def _near(found: Tensor, limit: float = HALF) -> Outcome:
    """The root mean square distance from the CPU's scores in 32 bits, as a share of their standard deviation."""
    right = scores(model(), pairs(), torch.device("cpu"))
    return at_most(float((found - right).square().mean().sqrt() / right.std()), limit, " of the deviation")


def tf32(machine: Machine) -> Outcome:
    """Scores in 32 bits by tensor cores."""
    return _near(_precisely(lambda: scores(model(), pairs(), machine.device), "high"))


def bf16(machine: Machine) -> Outcome:
    """Scores in bfloat16."""
    return _near(scores(model(), pairs(), machine.device, torch.bfloat16))


def attention(name: str, dtype: torch.dtype, window: int | None = None, dropout: float = 0.0) -> Check:
    """A kernel for rows without padding against padded rows in 32 bits, states and gradients."""

    def check(machine: Machine) -> Outcome:
        if name in ("torch", "flash_attn") and (machine.device.type != "cuda" or name not in varlen.installed()):
            raise Skipped(f"{name} is not installed, or this is no GPU")
        sizes = lengths(64).tolist()
        rows = Rows(sizes, machine.device)
        torch.manual_seed(3)
        three = [torch.randn(sum(sizes), 12, 64, device=machine.device, dtype=dtype) for _ in range(3)]
        weights = torch.randn_like(three[0])

        def of(kernel: str, kind: torch.dtype) -> list[Tensor]:
            given = [each.to(kind).requires_grad_() for each in three]
            query, key, value = given
            states = varlen.KERNELS[kernel](query, key, value, rows, dropout, 0.125, window)
            return [states, *torch.autograd.grad(states, given, weights.to(kind))]

        # With dropout there is nothing to compare with but that a kernel gives numbers.
        found = of(name, dtype)
        if dropout:
            return Outcome("finite", "finite", all(bool(each.isfinite().all()) for each in found))
        right = _precisely(lambda: of("padded", torch.float32))
        shares = [
            greatest_difference(one, other) / float(other.abs().max()) for one, other in zip(found, right, strict=True)
        ]
        return at_most(max(shares), 1e-4 if dtype == torch.float32 else 0.02)

    return check


def compiled(machine: Machine) -> Outcome:
    """The encoder through `torch.compile`, for rows of any number and length."""
    made = model().to(machine.device)
    made.encoder.model.compile(dynamic=True, backend="inductor" if machine.device.type == "cuda" else "eager")
    return _near(scores(made, pairs(), machine.device, torch.bfloat16))


def int8(machine: Machine) -> Outcome:
    """The encoder's linear layers in 8 bits, by torchao."""
    if find_spec("torchao") is None:
        raise Skipped("torchao is not installed")
    from torchao.quantization import (  # type: ignore[import-not-found]
        Int8DynamicActivationInt8WeightConfig,
        quantize_,
    )

    made = model().to(machine.device)
    quantize_(made.encoder.model, Int8DynamicActivationInt8WeightConfig())
    return _near(scores(made, pairs(), machine.device, torch.bfloat16), INT8)


def pinned(machine: Machine) -> Outcome:
    """A batch pinned by the loader is copied without a wait, and is what it was."""
    if machine.device.type != "cuda":
        raise Skipped("memory is pinned for a GPU alone")
    loader: DataLoader[PairBatch] = DataLoader([pairs()], batch_size=None, pin_memory=True)  # type: ignore[arg-type]
    (rows,) = loader
    torch.cuda.set_sync_debug_mode("error")
    try:
        there = rows.to(machine.device)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    if not rows.input_ids.is_pinned():
        return Outcome("not pinned", "pinned", False)
    return at_most(greatest_difference(there.input_ids, pairs().input_ids), 0)


class Waits(pl.Callback):
    """Counts the waits for the GPU in the steps between the first two and the last."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.count = 0
        self._caught: Any = None
        self._warnings: list[Any] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Begin at the third step, end at the last."""
        if batch_idx == 2:
            self._caught = warnings.catch_warnings(record=True)
            self._warnings = self._caught.__enter__()
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
        if batch_idx == self.steps - 1:
            torch.cuda.set_sync_debug_mode("default")
            self._caught.__exit__(None, None, None)
            self.count = sum("synchroniz" in str(each.message) for each in self._warnings)


def waits(machine: Machine) -> Outcome:
    """Times that the host waits for the GPU in the steps of a training between the setting up and the end."""
    if machine.device.type != "cuda":
        raise Skipped("only a GPU is waited for")
    steps = 8
    batches = training_batches(replace(SMALL, steps=steps))
    counted = Waits(steps)
    made = PairModule(model(), {"hinge": SoftmaxHinge()})
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="gpu",
        devices=1,
        precision="bf16-mixed",
        callbacks=[counted, FiniteLoss(Path(folder(SMALL)))],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        limit_val_batches=0,
    )
    trainer.fit(made, DataLoader(batches, batch_size=None, pin_memory=True))  # type: ignore[arg-type]
    return at_most(counted.count, 0, f" in {steps - 3} steps")


PATHS: dict[str, Check] = {
    "scores, fp32": full,
    "gradients, fp32": gradients,
    "scores, TF32": tf32,
    "scores, bf16": bf16,
    "varlen: torch, bf16": attention("torch", torch.bfloat16),
    "varlen: torch, bf16, window": attention("torch", torch.bfloat16, window=64),
    "varlen: flash-attn, bf16": attention("flash_attn", torch.bfloat16),
    "varlen: flash-attn, bf16, dropout": attention("flash_attn", torch.bfloat16, dropout=0.1),
    "varlen: jagged, bf16": attention("jagged", torch.bfloat16),
    "varlen: jagged, bf16, dropout": attention("jagged", torch.bfloat16, dropout=0.1),
    "varlen: jagged, fp32": attention("jagged", torch.float32),
    "varlen: padded, fp32, window": attention("padded", torch.float32, window=64),
    "torch.compile, bf16": compiled,
    "int8": int8,
    "pinned copies": pinned,
    "waits in a training step": waits,
}
