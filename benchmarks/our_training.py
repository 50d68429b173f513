"""Worker: training pairs a second of `clir train`, with the settings given behind `--`.

    python -m benchmarks.our_training --steps 6 --warm 2 -- data=clirmatrix data.path=FOLDER …

A turn is `warm` steps and then `steps` that count, from the end of one to the end of another, so that loading is in it.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from typing import Any

import pytorch_lightning as pl
from benchmarks.worker import asked, peak, tell


class Turns(pl.Callback):
    """Waits before a turn's first step, and tells pairs a second behind its last."""

    def __init__(self, warm: int, steps: int) -> None:
        self.warm = warm
        self.steps = steps
        self.pairs = 0
        self.start = 0.0

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, step: int) -> None:
        """Wait; the process ends where no turn comes, without a validation and a model that nobody wants."""
        if step % (self.warm + self.steps) == 0 and not asked():
            sys.stdout.flush()
            os._exit(0)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, step: int
    ) -> None:
        """Count."""
        place = step % (self.warm + self.steps) + 1
        if place <= self.warm:
            self.pairs = 0
            self.start = time.perf_counter()
            return
        self.pairs += batch.grades.numel()
        if place == self.warm + self.steps:
            tell(rate=self.pairs / (time.perf_counter() - self.start), memory=peak())


def with_callback(callback: pl.Callback) -> None:
    """Let every trainer that is built from now on have this callback, behind all others."""
    build = pl.Trainer.__init__

    @functools.wraps(build)
    def built(self: pl.Trainer, *given: Any, callbacks: Any = None, **named: Any) -> None:
        build(self, *given, callbacks=[*(callbacks or []), callback], **named)

    pl.Trainer.__init__ = built  # type: ignore[method-assign]


def main() -> None:
    """Train."""
    place = sys.argv.index("--")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--warm", type=int, required=True)
    given = parser.parse_args(sys.argv[1:place])
    with_callback(Turns(given.warm, given.steps))
    from clir_lightning.cli import main as clir

    clir(["train", *sys.argv[place + 1 :]])


if __name__ == "__main__":
    main()
