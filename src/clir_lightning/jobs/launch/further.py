"""`python -m clir_lightning.jobs.launch.further VERB`: a further process of a job that another process has begun.

The configuration comes composed, with Hydra's own settings, through standard input. Nothing of a command line is parsed
and no file of `conf/` is read, so that no sweep can start again and no override means something else here.
"""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Mapping
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

from clir_lightning.jobs.launch.job import run


def handed_over(config: DictConfig, changed: Mapping[str, Any]) -> bytes:
    """This job's configuration and Hydra's settings, as a further process reads them.

    The further process is a single run even where this job is one of a sweep's.

    Args:
        config: the job's configuration.
        changed: its settings that have another value in the further processes.
    """
    whole = copy.deepcopy(config)
    with read_write(whole), open_dict(whole):
        whole.update(changed)
        whole.hydra = copy.deepcopy(HydraConfig.get())
        with read_write(whole.hydra):
            whole.hydra.mode = RunMode.RUN
    return pickle.dumps(whole)


def received(content: bytes) -> DictConfig:
    """The job's configuration out of what `handed_over` gives; Hydra's settings are set as Hydra itself would."""
    whole: DictConfig = pickle.loads(content)
    setup_globals()
    HydraConfig.instance().set_config(whole)

    # Hydra's node is not part of what a job sees.
    config = copy.deepcopy(whole)
    with read_write(config), open_dict(config):
        del config["hydra"]
    return config


def main() -> None:
    """Run the job of the verb that the command names."""
    run(sys.argv[1], received(sys.stdin.buffer.read()))


if __name__ == "__main__":
    main()
