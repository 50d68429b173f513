"""Which of a job's processes this is, as torchrun, srun or the process that started it say in the environment."""

from __future__ import annotations

import os


def started_outside() -> bool:
    """Whether torchrun or srun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 or int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1


def rank() -> int:
    """This process's number among all; the first writes and speaks."""
    name = "RANK" if "RANK" in os.environ or not started_outside() else "SLURM_PROCID"
    return int(os.environ.get(name, "0"))
