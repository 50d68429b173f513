"""What a sweep does around its jobs: a failed one doesn't end it, and at its end its jobs are compared."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from clir_lightning.data.files.lines import write_whole
from clir_lightning.errors import ClirError

log = logging.getLogger(__name__)

FAILED = "failed.json"  # in the folder of a job that failed


def in_sweep() -> bool:
    """Whether this job is one of several of a command with `-m`."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def guarded(job: Callable[[DictConfig], object], config: DictConfig) -> object:
    """A sweep's job: its failure is written down, and the sweep goes on with the next. `None` stands for a failure."""
    hydra = HydraConfig.get()
    note = Path(hydra.runtime.output_dir) / FAILED
    note.unlink(missing_ok=True)
    try:
        return job(config)
    except Exception as error:
        cause = str(error) if isinstance(error, ClirError) else f"{type(error).__name__}: {error}"
        with write_whole(note) as stream:
            json.dump({"overrides": list(hydra.overrides.task), "cause": cause}, stream, ensure_ascii=False, indent=1)
        log.error("%s failed: %s", " ".join(hydra.overrides.task), cause, exc_info=not isinstance(error, ClirError))
        return None


def _compare(runs: Sequence[Path], folder: Path) -> None:
    """`clir compare` in a process of its own: Hydra holds this one's state until the sweep is over."""
    program = [sys.executable, "-c", "from clir_lightning.cli import main; main()"]
    listed = ",".join(f"'{path}'" for path in runs)
    subprocess.run([*program, "compare", f"runs=[{listed}]", f"hydra.run.dir='{folder}'"], check=False)


def _failure(folder: Path) -> dict[str, Any]:
    """What a job wrote down of its failure; nothing where it did not fail, or where another command does it again."""
    with suppress(FileNotFoundError):
        note: dict[str, Any] = json.loads((folder / FAILED).read_text(encoding="utf-8"))
        return note
    return {}


class SweepEnd(Callback):
    """After a sweep's last job: the table of those that finished by `clir compare`, and the failed ones' causes.

    The program ends with status 1 if a job failed.
    """

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Compare and report."""
        folder = Path(config.hydra.sweep.dir).resolve()
        jobs = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        finished = [path for path in jobs if (path / "metrics.json").is_file()]
        failed = {path: note for path in jobs if (note := _failure(path))}
        if len(finished) > 1:
            _compare(finished, folder / "comparison")

        # What became of the jobs, and how to do the failed ones again.
        print(f"{len(finished)} jobs finished, {len(failed)} failed: {folder}")
        for path, note in failed.items():
            print(f"  {path.name}  {' '.join(note['overrides'])}\n      {note['cause']}")
        if failed:
            again = f"hydra.sweep.dir={folder} resume=auto"
            print(f"the same command with {again} does the failed ones again, and no other")
            sys.exit(1)
