"""A trained model at rest: the recipe that it is built from and its weights, in a model folder or in a checkpoint.

What configured a model lies with its weights: files beside them are rewritten by the next command, or stay behind when
they are moved; none of those is read.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clir_lightning.errors import ConfigError
from clir_lightning.models.encoder import Encoder

KINDS = "give an output folder of clir train, its folder model, or one of its checkpoints"
MODULE = "model."  # what the names of the architecture's weights begin with in a checkpoint
CONFIG = "config"
FILES = "encoder_files"
ENCODER_FILES = ("config.json", "tokenizer_config.json")
NAME = re.compile(r"\w[\w.-]*(?<!\.py)")


def check_files(names: Mapping[str, Any], source: Path) -> None:
    """Reject an encoder's files without a tokenizer, and a program or a name that leads elsewhere among them.

    Without its files a library would make up an empty tokenizer; a model from elsewhere may list anything.
    """
    if missing := [name for name in ENCODER_FILES if name not in names]:
        raise ConfigError(f"{source} lists no {missing[0]} among its encoder's files; {KINDS}")
    for name in names:
        if not NAME.fullmatch(name):
            raise ConfigError(f"{source} holds an encoder's file {name!r}; allowed: plain names of files, none of *.py")


@dataclass(frozen=True)
class Recipe:
    """All that it takes to build a model again but for its weights.

    Args:
        config: the settings of the job that trained it, plain values.
        files: the encoder's configuration and tokenizer, name of a Hugging Face folder's file to its bytes.
    """

    config: dict[str, Any]
    files: dict[str, bytes]

    @classmethod
    def of(cls, config: dict[str, Any], encoder: Encoder) -> Recipe:
        """The recipe of a model over `encoder`."""
        with TemporaryDirectory() as folder:
            encoder.describe(Path(folder))
            paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
            return cls(config, {path.name: path.read_bytes() for path in paths})

    @contextmanager
    def encoder_folder(self) -> Iterator[str]:
        """The encoder's files in a folder that is there within the block alone."""
        with TemporaryDirectory() as folder:
            for name, content in self.files.items():
                (Path(folder) / name).write_bytes(content)
            yield folder

    def in_checkpoint(self) -> dict[str, Any]:
        """The same as the tensors and plain values that a checkpoint may hold."""
        files = {
            name: torch.from_numpy(np.frombuffer(content, np.uint8).copy()) for name, content in self.files.items()
        }
        return {CONFIG: self.config, FILES: files}


@dataclass(frozen=True)
class Saved:
    """A recipe, and the weights of the architecture by their names in its state dictionary."""

    recipe: Recipe
    weights: dict[str, Tensor]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """All that a checkpoint of `clir train` holds, its `state_dict` among it.

    Raises `ConfigError` for a file that is not one, or that holds anything but tensors and plain values.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        content["state_dict"].items()
    except pickle.UnpicklingError as error:
        problem = f"{path} is damaged or holds more than tensors and plain values, and is not read: that could run code"
        raise ConfigError(f"{problem}; {KINDS}") from error
    except (OSError, EOFError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ConfigError(f"{path} is not a checkpoint of clir train ({type(error).__name__}); {KINDS}") from error
    return content


def weights_of_checkpoint(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The architecture's weights in a checkpoint, without what losses may keep."""
    state: dict[str, Tensor] = content["state_dict"]
    return {name.removeprefix(MODULE): value for name, value in state.items() if name.startswith(MODULE)}


def files_of_checkpoint(content: Mapping[str, Any]) -> dict[str, bytes]:
    """The encoder's files in a checkpoint, none in one of another program's."""
    files: dict[str, Tensor] = content.get(FILES) or {}
    return {name: part.numpy().astype(np.uint8).tobytes() for name, part in files.items()}


def saved_in_checkpoint(path: Path) -> Saved:
    """A model from a checkpoint. Raises `ConfigError` for one that does not hold its recipe too."""
    content = read_checkpoint(path)
    config = content.get(CONFIG) or {}
    files = content.get(FILES) or {}
    if not all(isinstance(part, dict) and part for part in (config, files, content["state_dict"])):
        problem = f"{path} does not hold its settings and its encoder's files"
        raise ConfigError(f"{problem}; give a checkpoint that this version of clir train wrote")
    check_files(files, path)
    return Saved(Recipe(config, files_of_checkpoint(content)), weights_of_checkpoint(content))
