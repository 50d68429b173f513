"""Pairs per second of scoring and training with XLM-R-base's size, ours and others' in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from statistics import median
from typing import Any

import torch
from benchmarks.gpu_check import Check, Machine, Outcome, Skipped, at_least, found
from benchmarks.gpu_material import folder, scoring_batches, texts, training_batches
from transformers import AutoModelForSequenceClassification

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.lightning.optimisation import Optimisation
from clir_lightning.losses.pairwise import SoftmaxHinge
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.scoring.computing import Computing
from clir_lightning.scoring.engine import Engine

GOAL = 2858  # pairs/s of padded FlashAttention at XLM-R-base's size on an H100
UNIT = " pairs/s"
FAST = (9, 0)  # the capability of the GPUs that the goal is for


def seconds(work: Callable[[], Any], machine: Machine) -> float:
    """The median of some runs, after one that warms up."""
    taken = []
    for _ in range(1 + machine.sizes.runs):
        _wait(machine)
        start = time.perf_counter()
        work()
        _wait(machine)
        taken.append(time.perf_counter() - start)
    return median(taken[1:])


def _wait(machine: Machine) -> None:
    if machine.device.type == "cuda":
        torch.cuda.synchronize(machine.device)


def _pinned(batches: list[PairBatch], machine: Machine) -> list[PairBatch]:
    return [batch.pin_memory() for batch in batches] if machine.device.type == "cuda" else batches


@lru_cache
def ours(machine: Machine) -> float:
    """Pairs/s of the engine in bfloat16, with the copies of batches and scores."""
    model = CrossEncoder(Encoder(folder(machine.sizes))).to(machine.device).eval()
    engine = Engine(model)
    at = Computing(machine.device, "bf16-mixed")
    batches = _pinned(scoring_batches(machine.sizes), machine)

    def score() -> None:
        with torch.inference_mode(), at.context():
            found = [engine.step(batch.to(machine.device)).flatten() for batch in batches]
        torch.cat(found).float().cpu()

    return machine.sizes.pairs / seconds(score, machine)


def scoring(machine: Machine) -> Outcome:
    """Ours against the goal, where the GPU is one that it is for."""
    speed = ours(machine)
    fast = machine.device.type == "cuda" and torch.cuda.get_device_capability(machine.device) >= FAST
    return at_least(speed, GOAL, UNIT) if fast else found(speed, UNIT)


def padded(attention: str) -> Check:
    """Transformers' model with all weights in bfloat16 on the same padded batches, ours at least as fast."""

    def check(machine: Machine) -> Outcome:
        if attention == "flash_attention_2" and find_spec("flash_attn") is None:
            raise Skipped("flash-attn is not installed")
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            folder(machine.sizes), attn_implementation=attention, dtype=torch.bfloat16
        )
        model.to(machine.device).eval()
        batches = _pinned(scoring_batches(machine.sizes), machine)

        def score() -> None:
            with torch.inference_mode():
                logits = [
                    model(input_ids=rows.input_ids, attention_mask=rows.attention_mask).logits
                    for rows in (batch.to(machine.device) for batch in batches)
                ]
            torch.cat(logits).float().cpu()

        theirs = machine.sizes.pairs / seconds(score, machine)
        return _against(ours(machine), theirs)

    return check


def _against(speed: float, theirs: float) -> Outcome:
    """Ours as a multiple of theirs."""
    return Outcome(f"{speed:.4g} to {theirs:.4g}{UNIT}, x {speed / theirs:.2f}", ">= x 1", speed >= theirs)


def sentence_transformers(machine: Machine) -> Outcome:
    """`CrossEncoder.predict` in bfloat16, from texts as it is called; ours at least as fast, from tokens."""
    if find_spec("sentence_transformers") is None:
        raise Skipped("sentence-transformers is not installed")
    from sentence_transformers import CrossEncoder as Theirs

    model: Any = Theirs(folder(machine.sizes), device=str(machine.device), model_kwargs={"dtype": torch.bfloat16})
    pairs = texts(machine.sizes.pairs)
    theirs = machine.sizes.pairs / seconds(lambda: model.predict(pairs, batch_size=256), machine)
    return _against(ours(machine), theirs)


def training(machine: Machine) -> Outcome:
    """Training steps in bfloat16, against transformers' padded model with the same loss and optimiser."""
    batches = _pinned(training_batches(machine.sizes), machine)
    theirs: Any = AutoModelForSequenceClassification.from_pretrained(folder(machine.sizes))
    own = CrossEncoder(Encoder(folder(machine.sizes)))

    def padded_scores(rows: PairBatch) -> torch.Tensor:
        logits = theirs(input_ids=rows.input_ids, attention_mask=rows.attention_mask).logits
        return logits.view(rows.grades.shape)  # type: ignore[no-any-return]

    speeds = []
    for model, scores in ((own, own), (theirs, padded_scores)):
        model.to(machine.device).train()
        optimizer, _ = Optimisation().start(model, 1000)

        def steps(scores: Any = scores, optimizer: torch.optim.Optimizer = optimizer) -> None:
            for rows in (batch.to(machine.device) for batch in batches):
                with torch.autocast(machine.device.type, torch.bfloat16):
                    loss = SoftmaxHinge()(scores(rows).float(), rows.grades).mean()
                torch.autograd.backward(loss)
                optimizer.step()
                optimizer.zero_grad()

        speeds.append(2 * machine.sizes.queries * machine.sizes.steps / seconds(steps, machine))
        model.cpu()
    return _against(speeds[0], speeds[1])


SPEEDS: dict[str, Check] = {
    "scoring, bf16": scoring,
    "scoring: transformers, padded, sdpa": padded("sdpa"),
    "scoring: transformers, padded, flash-attn": padded("flash_attention_2"),
    "scoring: sentence-transformers": sentence_transformers,
    "training, bf16: transformers, padded": training,
}
