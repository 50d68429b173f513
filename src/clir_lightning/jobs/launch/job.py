"""A verb's job, run on a composed configuration: by the program itself and by the further processes of a job."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

from omegaconf import DictConfig, MissingMandatoryValue

from clir_lightning.build import without_value
from clir_lightning.configuration import root_name
from clir_lightning.errors import ClirError
from clir_lightning.jobs.launch.quiet import quiet
from clir_lightning.jobs.launch.settings import check_job
from clir_lightning.jobs.launch.sweep import guarded, in_sweep


def job_of(verb: str) -> Callable[[DictConfig], object]:
    """The `main` of the verb's module in `jobs/`, which is imported."""
    job: Callable[[DictConfig], object] = importlib.import_module(f"clir_lightning.jobs.{root_name(verb)}").main
    return job


def run(verb: str, config: DictConfig) -> object:
    """What the job returns; an error of the user's ends the process with one line and status 1.

    A sweep's job ends nothing: its failure is written down, and the sweep goes on.
    """

    def job(config: DictConfig) -> object:
        check_job(verb, config)
        return job_of(verb)(config)

    quiet()
    if in_sweep():
        return guarded(job, config)
    try:
        return job(config)
    except ClirError as error:
        sys.exit(f"clir {verb}: {error}")
    except MissingMandatoryValue as error:
        sys.exit(f"clir {verb}: {without_value(str(error.full_key))}")
