"""Loggers that write to the output folder; `wandb_run` has the one that does not."""

from __future__ import annotations

from csv import DictReader, DictWriter
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter

from clir_lightning.data.files.lines import write_whole
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.loggers.wandb_run import JobInfo


class _Writer(ExperimentWriter):
    def _check_log_dir_exists(self) -> None:
        """What stands in `metrics.csv` stays: `_begin` has removed what does not belong to the run."""


def _begin(folder: Path, step: int) -> _Writer:
    """The writer of `metrics.csv`, whose rows before `step` stay."""
    path = folder / "metrics.csv"
    kept: list[dict[str, str]] = []
    if step and path.is_file():
        with open(path, encoding="utf-8", newline="") as stream:
            kept = [row for row in DictReader(stream) if int(row["step"]) < step]
    path.unlink(missing_ok=True)
    writer = _Writer(log_dir=str(folder))
    if kept:
        writer.metrics_keys = list(kept[0])
        with write_whole(path) as stream:
            rows = DictWriter(stream, writer.metrics_keys)
            rows.writeheader()
            rows.writerows(kept)
    return writer


class _Csv(CSVLogger):
    """Touches the file when something is logged, not before: until then the job may still be rejected."""

    def __init__(self, job: JobInfo, flush_every: int) -> None:
        super().__init__(job.folder, name="", version="", flush_logs_every_n_steps=flush_every)
        self._job = job

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer."""
        if self._experiment is None:
            self._experiment = _begin(self._job.folder, self._job.step)
        return self._experiment


def csv(job: JobInfo, flush_every: int = 50) -> Logger:
    """`metrics.csv` in the output folder itself; of one that is there, the rows before the job's step stay."""
    return _Csv(job, flush_every)


def tensorboard(job: JobInfo) -> Logger:
    """Event files in the output folder, with the keys of the other loggers."""
    try:
        return TensorBoardLogger(job.folder, name="", version="tensorboard")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "logger=[tensorboard] needs a further package; pip install 'clir-lightning[tensorboard]'"
        ) from error
