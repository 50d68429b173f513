"""What a folder that is used again means: a finished job, a training to go on with, or a fresh start."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clir_lightning.errors import ConfigError
from clir_lightning.lightning.checkpoints import is_whole, newest_whole

log = logging.getLogger(__name__)

# What may differ between the command that was stopped and the one that goes on, caches at any depth too: it decides no
# number.
FREE = ("resume", "logger", "callbacks", "checkpoint_steps", "trainer.devices", "trainer.accelerator")


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted name.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    values: dict[str, Any] = {}
    for name, value in settings.items():
        nested = isinstance(value, Mapping) and value
        values.update(flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value})
    return values


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of settings that differ and may not, with both values."""
    left = flat(one)
    right = flat(other)
    names = sorted({*left, *right})
    return [
        f"{name}: {left.get(name)!r} then, {right.get(name)!r} now"
        for name in names
        if left.get(name) != right.get(name) and not _free(name)
    ]


def _free(name: str) -> bool:
    return name.rpartition(".")[2] == "cache" or any(f"{name}.".startswith(f"{free}.") for free in FREE)


@dataclass(frozen=True)
class Start:
    """Where a job starts."""

    finished: dict[str, Any] | None = None  # the metrics of a folder that holds this very job's results
    checkpoint: Path | None = None
    step: int = 0  # optimisation steps that the checkpoint has behind it


def _same(then: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    if wrong := differing(then, now):
        raise ConfigError(f"{path} is of other settings ({'; '.join(wrong[:3])}); give these, or another folder")


def start(resume: str | None, config: Mapping[str, Any], folder: Path) -> Start:
    """Decide; nothing is changed.

    Args:
        resume: `None` starts anew; `auto` goes on with what the folder holds, if anything; a path with that checkpoint.
        config: the job's settings, plain.
        folder: its output folder.

    Raises `ConfigError` for a folder or checkpoint of other settings, `DataError` if no checkpoint in it is whole.
    """
    # A folder with results is done, if they are this job's.
    if resume == "auto" and (folder / "metrics.json").is_file():
        _same(json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["config"], config, folder)
        log.info("%s is finished: nothing is left to do", folder)
        return Start(finished=json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
    if resume is None:
        return Start()

    # The checkpoint to go on from.
    found = newest_whole(folder / "checkpoints") if resume == "auto" else Path(resume)
    if found is None:
        log.info("nothing to go on from in %s: starting anew", folder)
        return Start()
    if not is_whole(found):
        raise ConfigError(f"resume={found} is missing or no whole checkpoint; give a checkpoints/last.ckpt, or auto")

    # It says itself what it is of.
    head = torch.load(found, map_location="cpu", weights_only=True, mmap=True)
    _same(head.get("config", {}), config, found)
    log.info("going on from %s, step %d", found, head["global_step"])
    return Start(checkpoint=found, step=head["global_step"])
