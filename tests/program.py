"""The `clir` program, run as a user would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHORT = ("trainer.max_epochs=1", "+trainer.limit_train_batches=2", "datamodule.dev_queries=3")


def clir(*arguments: str, cwd: Path, check: bool = True, timeout: int = 240) -> subprocess.CompletedProcess[str]:
    """Run the `clir` program as a user would, offline."""
    command = [sys.executable, "-c", "from clir_lightning.cli import main; main()", *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline", "COLUMNS": "100"}
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=timeout, env=environment, stdin=subprocess.DEVNULL
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done
