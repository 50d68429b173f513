"""The output folder of a job: one verb's alone, and as it was until the job's settings and files have proved good.

A job asks for its folder first and claims it when nothing can be rejected any more. Only then are the results of an
earlier job removed, the settings written to `.hydra/` and the log to `VERB.log`. A new folder is claimed at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from clir_lightning.data.files.lines import write_whole
from clir_lightning.data.store.replacing import remove
from clir_lightning.errors import ConfigError
from clir_lightning.scoring.processes import rank

HYDRA = ".hydra"


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
    if rank() == 0 and not any(folder.iterdir()):
        claim(config, folder)
    return folder


def claim(config: DictConfig, folder: Path, results: Iterable[str] = ()) -> None:
    """Make the folder this job's.

    Args:
        config: of the job, written to `.hydra/`.
        folder: its output folder.
        results: names or globs of what an earlier job may have left, files and folders, to be removed.
    """
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
