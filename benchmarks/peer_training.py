"""Worker, of the other tools' interpreter: training pairs a second of sentence-transformers' trainers.

    python -m benchmarks.peer_training cross ROWS ENCODER --batch 32 --steps 6 --warm 2 [--bf16]

`ROWS`: what they train on, one JSON object a line with the columns that `cross_trainer` and `dual_trainer` name. What
the options do not say is as their library has it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from benchmarks.worker import asked, peak, tell
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from sentence_transformers.losses import MultipleNegativesRankingLoss
from sentence_transformers.models import Pooling, Transformer
from transformers import TrainerCallback


def arguments(output: Path, rows: int, *, batch: int, seed: int, bf16: bool, **more: Any) -> dict[str, Any]:
    """What both trainers are told: one pass over the rows with a linear warm-up, nothing saved or reported."""
    return {
        "output_dir": str(output / "trainer"),
        "num_train_epochs": 1,
        "per_device_train_batch_size": batch,
        "warmup_steps": math.ceil(0.1 * rows / batch),
        "seed": seed,
        "bf16": bf16,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        **more,
    }


def cross_trainer(model: CrossEncoder, rows: Dataset, output: Path, **options: Any) -> CrossEncoderTrainer:
    """`CrossEncoderTrainer` with binary cross-entropy; columns `query`, `document` and `label`, 0 or 1."""
    told = CrossEncoderTrainingArguments(**arguments(output, len(rows), **options))
    return CrossEncoderTrainer(model=model, args=told, train_dataset=rows, loss=BinaryCrossEntropyLoss(model))


def dual_model(encoder: str, max_length: int) -> tuple[SentenceTransformer, Transformer]:
    """The encoder with mean pooling, and the encoder alone."""
    transformer = Transformer(encoder, max_seq_length=max_length)
    width = transformer.auto_model.config.hidden_size
    return SentenceTransformer(modules=[transformer, Pooling(width, pooling_mode="mean")]), transformer


def dual_trainer(
    model: SentenceTransformer, rows: Dataset, output: Path, *, temperature: float, **options: Any
) -> SentenceTransformerTrainer:
    """`SentenceTransformerTrainer` with InfoNCE; columns `anchor`, `positive` and `negative`."""
    loss = MultipleNegativesRankingLoss(model, scale=1 / temperature)
    told = SentenceTransformerTrainingArguments(**arguments(output, len(rows), **options))
    return SentenceTransformerTrainer(model=model, args=told, train_dataset=rows, loss=loss)


class Turns(TrainerCallback):  # type: ignore[misc]
    """Waits before a turn's first step, and tells pairs a second behind its last."""

    def __init__(self, warm: int, steps: int, pairs: int) -> None:
        self.warm = warm
        self.steps = steps
        self.pairs = pairs  # of a step
        self.start = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Wait; the process ends where no turn comes."""
        if state.global_step % (self.warm + self.steps) == 0 and not asked():
            os._exit(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count; the step that has ended is in `global_step` already."""
        place = (state.global_step - 1) % (self.warm + self.steps) + 1
        if place == self.warm:
            self.start = time.perf_counter()
        elif place == self.warm + self.steps:
            tell(rate=self.steps * self.pairs / (time.perf_counter() - self.start), memory=peak())


def main() -> None:
    """Train, a turn at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("cross", "dual"))
    parser.add_argument("rows", type=Path)
    parser.add_argument("encoder")
    parser.add_argument("--batch", type=int, required=True, help="rows a step")
    parser.add_argument("--max-length", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--warm", type=int, required=True)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--frozen-embeddings", action="store_true")
    given = parser.parse_args()
    lines = map(json.loads, given.rows.read_text(encoding="utf-8").splitlines())
    rows = Dataset.from_list(list(lines))
    options = {"batch": given.batch, "seed": 1, "bf16": given.bf16}
    trainer: Any
    if given.kind == "cross":
        cross = CrossEncoder(given.encoder, num_labels=1, max_length=given.max_length)
        trainer = cross_trainer(cross, rows, given.rows.parent, **options)
    else:
        dual, _ = dual_model(given.encoder, given.max_length)
        trainer = dual_trainer(dual, rows, given.rows.parent, temperature=0.05, **options)

    if given.frozen_embeddings:
        for name, weight in trainer.model.named_parameters():
            weight.requires_grad_(".embeddings." not in f".{name}" and weight.requires_grad)

    # A row of a query's positive and negative is two pairs.
    pairs = given.batch * (1 if given.kind == "cross" else 2)
    trainer.add_callback(Turns(given.warm, given.steps, pairs))
    trainer.train()


if __name__ == "__main__":
    main()
