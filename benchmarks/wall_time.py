"""Where the wall time of `clir train` goes: `python -m benchmarks.wall_time`.

One epoch with its validation, the test and all files, of the default settings but for precision, batch and the number
of steps and queries. Forward, backward and optimiser are clocked from outside, by wrapping what Lightning calls; what a
step takes beside them is loading, logging and callbacks.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch
from benchmarks.material import settings
from benchmarks.our_training import with_callback
from benchmarks.turns import ROOT, ours, say, spread, table, write_part
from torch.optim.optimizer import register_optimizer_step_post_hook

WORK = ("forward", "backward", "optimiser")
WARM = 2  # steps that do not count


class Clock(pl.Callback):
    """Seconds by what is done, of every step, of validation and of the test."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.steps: list[dict[str, float]] = []  # WORK and `wall` of each step
        self.first: float | None = None  # when the first step began
        self.last = 0.0
        self.update = 0.0
        backward = self._clocked("backward", torch.autograd.backward)
        torch.autograd.backward = backward
        register_optimizer_step_post_hook(self._updated)

    def _clocked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def clocked(*given: Any, **named: Any) -> Any:
            # A step that computes gradients itself has them counted as such alone.
            before = self.spent["backward"]
            start = time.time()
            try:
                return function(*given, **named)
            finally:
                inner = self.spent["backward"] - before
                self.spent[name] += time.time() - start - inner

        return clocked

    def _updated(self, *_: Any) -> None:
        self.spent["optimiser"] += time.time() - self.update

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Clock the module's own work."""
        for name, step in {"forward": "training_step", "validation": "validation_step", "test": "test_step"}.items():
            setattr(pl_module, step, self._clocked(name, getattr(pl_module, step)))

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, step: int) -> None:
        """The first step of all begins."""
        if self.first is None:
            self.first = self.last = time.time()

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Gradients are clipped from here on, then the weights move."""
        self.update = time.time()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, step: int
    ) -> None:
        """One step, from the end of the one before."""
        now = time.time()
        self.steps.append({**{name: self.spent.pop(name, 0.0) for name in WORK}, "wall": now - self.last})
        self.last = now

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation begins."""
        self.spent["validation loop"] -= time.time()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """It ends."""
        self.last = time.time()
        self.spent["validation loop"] += self.last

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The test begins."""
        self.spent["test loop"] -= time.time()

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """It ends."""
        self.spent["test loop"] += time.time()


def clocked(file: Path, told: list[str]) -> None:
    """`clir train` under a clock, whose times go to a file."""
    clock = Clock()
    with_callback(clock)
    from clir_lightning.cli import main as clir

    clir(["train", *told])
    found = {"first": clock.first, "steps": clock.steps, "spent": dict(clock.spent)}
    file.write_text(json.dumps(found), encoding="utf-8")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """One training in a process of its own: its times, and `wall` and `startup` of the whole command."""
    folder = (given.output / "wall_time").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *ours("wall_time", "--clock", folder / "times.json", "--"),
        *("data=clirmatrix", f"data.path={given.data.resolve()}", "encoder=hf", f"encoder.name={given.encoder}"),
        *(f"trainer.precision={given.precision}", f"batches.size={given.queries}", "trainer.max_epochs=1"),
        *(f"+trainer.limit_train_batches={given.steps}", f"candidates.val_queries={given.scored}"),
        *(f"candidates.test_queries={given.scored}", f"candidates.depth={given.depth}"),
        *(f"hydra.run.dir={folder / 'run'}", *given.settings),
    ]
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    wall = time.time() - start
    if done.returncode:
        raise RuntimeError(f"clir train failed: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads((folder / "times.json").read_text(encoding="utf-8"))
    say(f"{wall:.1f} s")
    return {**found, "wall": wall, "startup": found["first"] - start}


def rows(found: dict[str, Any]) -> list[list[str]]:
    """What the seconds of the whole command went to."""
    steps = found["steps"]
    spent = found["spent"]
    loop = sum(step["wall"] for step in steps)
    parts = [("start-up, until the first step", found["startup"]), ("training loop", loop)]
    parts += [(f"– {name}", sum(step[name] for step in steps)) for name in WORK]
    parts += [("– all else", loop - sum(step[name] for step in steps for name in WORK))]
    for name in ("validation", "test"):
        parts += [(name, spent[f"{name} loop"]), ("– the model", spent[name])]
    known = found["startup"] + loop + spent["validation loop"] + spent["test loop"]
    parts += [("model and checkpoint written, tables, end", found["wall"] - known), ("whole command", found["wall"])]
    return [[name, f"{seconds:.2f}", f"{seconds / found['wall']:.1%}"] for name, seconds in parts]


def main() -> None:
    """Train under the clock, and write."""
    parser = settings(__doc__)
    parser.add_argument("--clock", type=Path, help="worker: where the times go; settings of `clir train` behind `--`")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--queries", type=int, default=16, help="a batch; each with two documents")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--scored", type=int, default=4, help="queries of validation and of the test")
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--settings", nargs="*", default=[], help="more of `clir train`")
    place = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    given = parser.parse_args(sys.argv[1:place])
    if given.clock:
        clocked(given.clock, sys.argv[place + 1 :])
        return
    found = run(given)
    shares = [sum(step[name] for name in WORK) / step["wall"] for step in found["steps"][WARM:]]
    counted = found["steps"][WARM:]
    whole = sum(step[name] for step in counted for name in WORK) / sum(step["wall"] for step in counted)
    told = (
        f"`clir train`, {given.precision} precision, {given.steps} steps of {2 * given.queries} pairs, validation and "
        f"test of {given.scored} queries with {given.depth} candidates. Forward, backward and optimiser are "
        f"**{whole:.1%}** of the training loop behind its first {WARM} steps, by step "
        f"{spread([100 * share for share in shares])} % (goal: 95); a step is "
        f"{median(step['wall'] for step in counted):.2f} s."
    )
    write_part(
        given.output, "wall_time", "Where `clir train` spends its time", [told, table(["", "s", ""], rows(found))]
    )


if __name__ == "__main__":
    main()
