"""A Weights & Biases run of a job: its configuration and curves, and at its end the table, hard queries and files.

One run per job, in the group of its sweep: it is continued when the job is resumed, and closed at its end, so that the
next job of a sweep has one of its own.
"""

from __future__ import annotations

import logging
import netrc
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from clir_lightning.evaluation.evaluate import Evaluation
from clir_lightning.types import Document, Query, Run

log = logging.getLogger(__name__)
HARDEST = 25  # queries in the table of those with the lowest values
ID = "wandb_id"  # the file in the output folder that keeps the run's id


@dataclass(frozen=True)
class JobInfo:
    """What a logger is told of the job: its output folder, name, sweep and settings, and the step it goes on from."""

    folder: Path
    name: str = ""
    group: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    step: int = 0


def has_wandb_key() -> bool:
    """Whether a W&B key is in the environment or in the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return any("wandb" in host for host in hosts)


def _run_id(job: JobInfo) -> str:
    """The id that the folder's run has had so far if it goes on, a new one otherwise."""
    path = job.folder / ID
    return path.read_text(encoding="utf-8").strip() if job.step and path.is_file() else secrets.token_hex(4)


def wandb(job: JobInfo, project: str = "clir_lightning", **settings: Any) -> Logger:
    """A Weights & Biases run. `WANDB_MODE` decides; without it and without a key the run is kept offline."""
    mode = os.environ.get("WANDB_MODE")
    if mode is None and not has_wandb_key():
        mode = "offline"
        log.warning("no W&B key found: logging offline")

    # Offline its own words say no more than these, in six lines.
    if mode == "offline":
        log.info("W&B's files are in %s; upload them later with: wandb sync", job.folder / "wandb")
        settings = {"settings": {"silent": True}, **settings}

    # A job that goes on goes on in its run.
    return WandbLogger(
        project=project,
        save_dir=job.folder,
        offline=mode == "offline",
        name=job.name or None,
        group=job.group,
        config=dict(job.config),
        id=_run_id(job),
        resume="allow",
        **settings,
    )


def _of_wandb(loggers: Sequence[Logger]) -> list[WandbLogger]:
    """W&B's among a trainer's loggers; none in processes that don't log."""
    return [logger for logger in loggers if isinstance(logger, WandbLogger) and not getattr(rank_zero_only, "rank", 0)]


def runs_of(loggers: Sequence[Logger]) -> list[Any]:
    """The W&B runs among a trainer's loggers; none in processes that don't log."""
    return [logger.experiment for logger in _of_wandb(loggers)]


def open_runs(loggers: Sequence[Logger], measures: Sequence[str]) -> None:
    """Begin the runs, with their ids in the output folder for a job that goes on.

    A run's overview shows the best validation value of each measure, not the last.
    """
    for logger in _of_wandb(loggers):
        run: Any = logger.experiment
        (Path(str(logger.save_dir)) / ID).write_text(run.id, encoding="utf-8")
        for name in measures:
            run.define_metric(f"val/{name}", summary="max")


def hardest(
    result: Evaluation, run: Run, queries: Mapping[str, Query], documents: Mapping[str, Document], measure: str
) -> list[list[Any]]:
    """One row for each of the worst queries: id, text, value, and the document on top with its text."""
    rows: list[list[Any]] = []
    for query in sorted(result.per_query, key=lambda name: (result.per_query[name][measure], name))[:HARDEST]:
        top = run.ranking(query)[0] if run.get(query) else None
        text = documents[top].text if top is not None else None
        rows.append([query, queries[query].text, result.per_query[query][measure], top, text])
    return rows


def report(
    loggers: Sequence[Logger],
    *,
    systems: Sequence[Evaluation],
    hard: Sequence[Sequence[Any]],
    scores: Mapping[str, Sequence[float]],
    files: Mapping[str, Path],
) -> None:
    """Log what a finished job has to show.

    Args:
        loggers: the trainer's.
        systems: the rows of the final table.
        hard: what `hardest` gave.
        scores: test scores by kind of document (`relevant`, `other`), logged as histograms.
        files: kind (`model`, `run`) to file or folder, logged as artifacts.
    """
    runs = runs_of(loggers)
    if not runs:
        return
    import wandb as tool  # takes half a second, and few jobs have a run

    # The tables and histograms of the run's page.
    for run in runs:
        names = list(systems[0].means)
        table = tool.Table(["system", *names], [[row.name, *row.means.values()] for row in systems])
        worst = tool.Table(["query", "text", "value", "top document", "its text"], [list(row) for row in hard])
        shown = {f"test/scores_{kind}": tool.Histogram(list(values)) for kind, values in scores.items() if values}
        run.log({"test/systems": table, "test/hardest": worst, **shown})

        # Its files, whole folders among them.
        for kind, path in files.items():
            artifact = tool.Artifact(f"{kind}-{run.id}", type=kind)
            add = artifact.add_dir if path.is_dir() else artifact.add_file
            add(str(path))
            run.log_artifact(artifact)


def close_runs(loggers: Sequence[Logger], failed: bool) -> None:
    """End the runs, so that the next job of a sweep has its own."""
    for run in runs_of(loggers):
        run.finish(exit_code=int(failed))
