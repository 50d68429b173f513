"""`clir doctor`: what this machine has, what is missing and how to get it; status 1 where no training would run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from omegaconf import DictConfig

from clir_lightning.jobs.cache_list import cache_folder
from clir_lightning.machine.examination import broken, examine
from clir_lightning.machine.facts import lines

WIDTH = 100  # columns at most


def main(config: DictConfig) -> None:
    """Run the job."""
    groups = examine(cache_folder(config.cache), Path.cwd())
    print("\n".join(lines(groups, min(shutil.get_terminal_size().columns, WIDTH))), flush=True)
    names = broken(groups)
    if names:
        sys.exit(f"\nno training will run here: see {', '.join(names)} above")
    print("\ntrainings can run")
