"""One process a device: the job's own command again for each further one, in the same output folder.

Lightning would start `sys.argv` again, and with it a whole sweep. Under torchrun or srun, which start all processes
themselves, nothing is started here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from hydra.core.hydra_config import HydraConfig
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch.devices import cards, count
from clir_lightning.scoring.processes import rank, started_outside

GRACE = 60  # seconds that the other processes have to end after the first
ENDING = 10  # seconds that the first has to end by itself after another has failed
STARTED_BY = "CLIR_STARTED_BY"  # in the environment of a process that another started: that one's id


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(verb: str, folder: Path, extra: list[str]) -> list[str]:
    """The command of a further process: this job's own, which a file or `-m` may have made one of a sweep's."""
    hydra = HydraConfig.get()
    given = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    places = [argument for path in given for argument in ("--config-dir", path.removeprefix("file://"))]
    searched = [override for override in hydra.overrides.hydra if override.startswith("hydra.searchpath=")]
    program = "from clir_lightning.cli import main; main()"
    quiet = ["hydra.output_subdir=null", "hydra/job_logging=disabled", "hydra/hydra_logging=disabled"]
    single = ["hydra.mode=RUN", f"hydra.run.dir='{folder}'"]
    return [sys.executable, "-c", program, verb, *places, *hydra.overrides.task, *searched, *extra, *single, *quiet]


def _watch(children: list[subprocess.Popen[bytes]], done: threading.Event) -> None:
    """End all when one fails: the others would wait for it for ever. One that is ending by itself has time to."""
    while not done.wait(0.5):
        if any(child.poll() not in (None, 0) for child in children) and not done.wait(ENDING):
            for child in children:
                child.kill()
            print("clir: a process of this job failed; its message stands above", file=sys.stderr)
            os.kill(os.getpid(), signal.SIGKILL)


def _follow(parent: int, done: threading.Event) -> None:
    """End with the process that started this one: whoever kills that one, hung or not, leaves none behind."""
    while not done.wait(1):
        if os.getppid() != parent:
            os._exit(1)


@contextmanager
def processes(verb: str, trainer: Mapping[str, Any], folder: Path, extra: list[str]) -> Iterator[None]:
    """Within, this process is the first of those that work together; they are connected.

    Args:
        verb: the job.
        trainer: its settings, which say how many processes and where.
        folder: the output folder that all share.
        extra: overrides for the other processes.
    """
    available = torch.cuda.device_count()
    wanted, outside = count(trainer, available), started_outside()
    if not outside and wanted < 2:
        yield
        return
    children: list[subprocess.Popen[bytes]] = []
    done = threading.Event()
    before = dict(os.environ)
    if not outside:
        place = {"NODE_RANK": "0", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": str(wanted)}
        os.environ.update({**place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())})
        for number in range(1, wanted):
            own = {"LOCAL_RANK": str(number), "RANK": str(number), STARTED_BY: str(os.getpid())}
            environment = {**os.environ, **own}
            command = _command(verb, folder, extra)
            children.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        threading.Thread(target=_watch, args=(children, done), daemon=True).start()
    elif STARTED_BY in os.environ:
        threading.Thread(target=_follow, args=(int(os.environ[STARTED_BY]), done), daemon=True).start()
    try:
        _connect(cards(trainer, available))
        yield
        torch.distributed.barrier()
    except BaseException:
        for child in children:
            child.kill()
        raise
    finally:
        done.set()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        deadline = time.monotonic() + GRACE
        for child in children:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
        os.environ.clear()
        os.environ.update(before)


def _connect(gpus: list[int] | None) -> None:
    """Join the others, on this process's own of the GPUs or without; what srun or torchrun call otherwise gets the
    names that Lightning reads.
    """
    if not any(override.startswith("hydra.run.dir=") for override in HydraConfig.get().overrides.hydra) and rank():
        raise ConfigError("processes that are started together need one folder; give hydra.run.dir=FOLDER")
    if "SLURM_STEP_NUM_TASKS" in os.environ and "RANK" not in os.environ:
        slurm = SLURMEnvironment(auto_requeue=False)
        os.environ.update(MASTER_ADDR=slurm.main_address, MASTER_PORT=str(slurm.main_port))
        names = {"RANK": "PROCID", "LOCAL_RANK": "LOCALID", "NODE_RANK": "NODEID", "WORLD_SIZE": "STEP_NUM_TASKS"}
        os.environ.update({name: os.environ[f"SLURM_{source}"] for name, source in names.items()})
    os.environ.setdefault("NODE_RANK", os.environ.get("GROUP_RANK", "0"))
    if gpus is not None:
        torch.cuda.set_device(gpus[int(os.environ["LOCAL_RANK"])])
    backend = "gloo" if gpus is None else "nccl"
    torch.distributed.init_process_group(backend, timeout=timedelta(minutes=30))
