"""Loggers, each made for an output folder."""

from __future__ import annotations

import logging
import netrc
import os
from csv import DictReader, DictWriter
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only

from clir_lightning.data.lines import write_whole

log = logging.getLogger(__name__)


class _Writer(ExperimentWriter):
    def _check_log_dir_exists(self) -> None:
        """What stands in `metrics.csv` stays: `csv` has removed what does not belong to the run."""


def csv(folder: Path, step: int = 0, flush_every: int = 50) -> Logger:
    """`metrics.csv` in the output folder itself; of one that is there, the rows before `step` stay."""
    path = folder / "metrics.csv"
    logger = CSVLogger(folder, name="", version="", flush_logs_every_n_steps=flush_every)
    if getattr(rank_zero_only, "rank", 0):
        return logger
    kept: list[dict[str, str]] = []
    if step and path.is_file():
        with open(path, encoding="utf-8", newline="") as stream:
            kept = [row for row in DictReader(stream) if int(row["step"]) < step]
    path.unlink(missing_ok=True)
    logger._experiment = writer = _Writer(log_dir=str(folder))
    if kept:
        writer.metrics_keys = list(kept[0])
        with write_whole(path) as stream:
            rows = DictWriter(stream, writer.metrics_keys)
            rows.writeheader()
            rows.writerows(kept)
    return logger


def has_wandb_key() -> bool:
    """Whether a W&B key is in the environment or in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return any("wandb" in host for host in hosts)


def wandb(folder: Path, step: int = 0, project: str = "clir_lightning", **settings: Any) -> Logger:
    """A Weights & Biases run. `WANDB_MODE` decides; without it and without a key the run is kept offline."""
    mode = os.environ.get("WANDB_MODE")
    if mode is None and not has_wandb_key():
        mode = "offline"
        log.warning("no W&B key found: logging offline under %s; upload it later with: wandb sync", folder / "wandb")
    return WandbLogger(project=project, save_dir=folder, offline=mode == "offline", **settings)
