"""The output folder of a job: one verb's alone, and as it was until the job's settings and files have proved good.

A job asks for its folder first and claims it when nothing can be rejected any more. Only then are the results of an
earlier job removed, the settings written to `.hydra/` and the log to `VERB.log`. A new folder is claimed at once. While
a job that claimed a folder lives, no other does: two would train into each other's files.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from clir_lightning.data.files.lines import write_whole
from clir_lightning.data.store.holding import is_at
from clir_lightning.data.store.replacing import remove
from clir_lightning.errors import ConfigError
from clir_lightning.rank import rank

HYDRA = ".hydra"
WAITS = 5.0  # seconds for the end of another job, which may be done and about to go

_taken: dict[Path, int] = {}  # the folder that this process has, to its descriptor, whose lock ends with the process


class HeldLog(logging.FileHandler):
    """A log file that is not touched before `begin`; what is logged until then waits in memory."""

    def __init__(self, filename: str) -> None:
        super().__init__(filename, encoding="utf-8", delay=True)
        self._waiting: list[logging.LogRecord] | None = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or keep it for `begin`."""
        if self._waiting is None:
            super().emit(record)
        else:
            self._waiting.append(record)

    def begin(self) -> None:
        """Write what waits, and from now on each record at once."""
        waiting = self._waiting or []
        self._waiting = None
        for record in waiting:
            self.emit(record)


def owner(folder: Path) -> str | None:
    """The verb whose output folder this is, as `.hydra/hydra.yaml` names its root file; `None` where nothing tells."""
    try:
        return str(OmegaConf.load(folder / HYDRA / "hydra.yaml").hydra.job.config_name).replace("_", " ")
    except Exception:  # whatever lies there was not written by a job
        return None


def output_folder(config: DictConfig) -> Path:
    """The job's output folder. Raises `ConfigError` where it is another verb's, whose results would be lost."""
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    verb = str(hydra.job.config_name).replace("_", " ")
    other = owner(folder)
    if other not in (None, verb):
        cure = "give another folder: hydra.run.dir=FOLDER"
        raise ConfigError(f"{folder} holds what clir {other} left; {cure}")
    if rank() == 0 and not any(folder.iterdir()) and take(folder):
        claim(config, folder)
    return folder


def tell_files(folder: Path, names: Iterable[str]) -> None:
    """Print the folder, and of these files and folders in it those that are there; no line is wrapped."""
    there = [name for name in names if (folder / name).exists()]
    Console().print("\n  ".join([f"files: {folder}", *there]), soft_wrap=True, highlight=False, markup=False)


def take(folder: Path, wait: float = 0.0) -> bool:
    """Have a folder for this process alone, until its next job's or its end; whether it could be had.

    `wait` is how many seconds another process's end is waited for. A file system without locks goes without.
    """
    if folder in _taken and is_at(_taken[folder], folder):
        return True
    _let_go()
    _let_go_in_forks()
    _taken[folder] = os.open(folder, os.O_RDONLY)
    end = time.monotonic() + wait
    while not _locked(_taken[folder]):
        if time.monotonic() >= end:
            _let_go()
            return False
        time.sleep(0.1)
    return True


def _locked(descriptor: int) -> bool:
    """Whether no other process has the lock, which this one has from now on."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _let_go() -> None:
    """Give up the folder that this process has."""
    while _taken:
        os.close(_taken.popitem()[1])


@cache
def _let_go_in_forks() -> None:
    """See to it, once, that processes that are forked from this one, such as data loaders, do not have its folder."""
    os.register_at_fork(after_in_child=_let_go)


def claim(config: DictConfig, folder: Path, results: Iterable[str] = ()) -> None:
    """Make the folder this job's. Raises `ConfigError` where another job is at work in it.

    Args:
        config: of the job, written to `.hydra/`.
        folder: its output folder.
        results: names or globs of what an earlier job may have left, files and folders, to be removed.
    """
    if not take(folder, WAITS):
        cure = "wait for its end, or give another folder: hydra.run.dir=FOLDER"
        raise ConfigError(f"another command is at work in {folder}; {cure}")
    for name in results:
        for path in folder.glob(name):
            remove(path)

    # The settings, as Hydra would have written them.
    hydra = HydraConfig.get()
    contents = {
        "config.yaml": OmegaConf.to_yaml(config),
        "hydra.yaml": OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})),
        "overrides.yaml": OmegaConf.to_yaml(hydra.overrides.task),
    }
    for name, content in contents.items():
        with write_whole(folder / HYDRA / name) as stream:
            stream.write(content)

    # What was logged until now waits for its file.
    for handler in logging.getLogger().handlers:
        if isinstance(handler, HeldLog):
            handler.begin()
