"""Loggers, each made for an output folder."""

from __future__ import annotations

import logging
import netrc
import os
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

log = logging.getLogger(__name__)


def csv(folder: Path, flush_every: int = 50) -> Logger:
    """`metrics.csv` in the output folder itself."""
    return CSVLogger(folder, name="", version="", flush_logs_every_n_steps=flush_every)


def has_wandb_key() -> bool:
    """Whether a W&B key is in the environment or in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return any("wandb" in host for host in hosts)


def wandb(folder: Path, project: str = "clir_lightning", **settings: Any) -> Logger:
    """A Weights & Biases run. `WANDB_MODE` decides; without it and without a key the run is kept offline."""
    mode = os.environ.get("WANDB_MODE")
    if mode is None and not has_wandb_key():
        mode = "offline"
        log.warning("no W&B key found: logging offline under %s; upload it later with: wandb sync", folder / "wandb")
    return WandbLogger(project=project, save_dir=folder, offline=mode == "offline", **settings)
