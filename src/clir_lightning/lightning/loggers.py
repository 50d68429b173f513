"""Loggers that write to the output folder; `wandb_run` has the one that does not."""

from __future__ import annotations

from csv import DictReader, DictWriter

from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only

from clir_lightning.data.lines import write_whole
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.wandb_run import JobInfo


class _Writer(ExperimentWriter):
    def _check_log_dir_exists(self) -> None:
        """What stands in `metrics.csv` stays: `csv` has removed what does not belong to the run."""


def csv(job: JobInfo, flush_every: int = 50) -> Logger:
    """`metrics.csv` in the output folder itself; of one that is there, the rows before the job's step stay."""
    folder, step = job.folder, job.step
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


def tensorboard(job: JobInfo) -> Logger:
    """Event files in the output folder, with the keys of the other loggers."""
    try:
        return TensorBoardLogger(job.folder, name="", version="tensorboard")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "logger=[tensorboard] needs a further package; pip install 'clir-lightning[tensorboard]'"
        ) from error
