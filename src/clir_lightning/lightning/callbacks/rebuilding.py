"""What a checkpoint holds beside its weights: all that it takes to build the model again from this one file.

Files beside a checkpoint are rewritten by the next command, or stay behind when it is moved; none of them is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from clir_lightning.errors import ConfigError
from clir_lightning.lightning.checkpoints import read_checkpoint
from clir_lightning.models.encoder import Encoder

CONFIG = "config"
FILES = "encoder_files"


def files_of(encoder: Encoder) -> dict[str, Tensor]:
    """The encoder's configuration and tokenizer: names of the files of a Hugging Face folder to their bytes `[n]`."""
    with TemporaryDirectory() as folder:
        encoder.describe(Path(folder))
        paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
        return {path.name: torch.from_numpy(np.fromfile(path, np.uint8)) for path in paths}


@contextmanager
def encoder_folder(files: Mapping[str, Tensor]) -> Iterator[str]:
    """The files in a folder that is there within the block alone.

    Raises `ConfigError` for a name that leads out of it: a checkpoint from elsewhere may hold any.
    """
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            if not re.fullmatch(r"\w[\w.-]*", name):
                raise ConfigError(f"the checkpoint holds an encoder's file {name!r}; allowed: plain names of files")
            content.numpy().astype(np.uint8).tofile(Path(folder) / name)
        yield folder


class KeepRecipe(pl.Callback):
    """Puts the settings and the encoder's files into each checkpoint.

    Args:
        config: of the job, plain values; a training that goes on from the checkpoint must have the same.
        files: what `files_of` gave.
    """

    def __init__(self, config: Mapping[str, Any], files: Mapping[str, Tensor]) -> None:
        self.config = dict(config)
        self.files = dict(files)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add them."""
        checkpoint[CONFIG] = self.config
        checkpoint[FILES] = self.files


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds of a model: its training's settings, its encoder's files and its weights."""

    config: dict[str, Any]
    files: dict[str, Tensor]
    weights: dict[str, Tensor]


def read_saved(path: str | Path) -> Saved:
    """Read a checkpoint of `clir train`. Raises `ConfigError` for any other file."""
    content = read_checkpoint(path)
    parts = [content.get(name) or {} for name in (CONFIG, FILES, "state_dict")]
    if not all(isinstance(part, dict) and part for part in parts):
        problem = f"{path} does not hold its settings and its encoder's files"
        raise ConfigError(f"{problem}; give a checkpoint that this version of clir train wrote")
    return Saved(*parts)
