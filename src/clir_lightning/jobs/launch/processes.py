"""One process per device: the first starts the others and hands its composed configuration to them (`further.py`).

Lightning would start `sys.argv` again, and with it a whole sweep. torch's elastic launcher would start all processes,
the first too, and stay behind as an agent that is none of them: but the first is where Hydra's sweep runs on, where the
log is held and what a terminal's Ctrl-C and a cluster's signal reach, upon which training writes its checkpoint. The
agent would end its workers instead, and start them again from the beginning, where `resume` knows better. Under
torchrun, which is that launcher, or srun, all processes are there already, and nothing is started here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch.devices import cards, count
from clir_lightning.jobs.launch.further import handed_over
from clir_lightning.rank import rank, started_outside

GRACE = 60  # seconds that the other processes have to end after the first
ENDING = 10  # seconds that the first has to end by itself after another has failed
STARTED_BY = "CLIR_STARTED_BY"  # in the environment of a process that another started: that one's id


@contextmanager
def processes(
    verb: str, config: DictConfig, *, trainer: Mapping[str, Any] | None = None, **changed: Any
) -> Iterator[None]:
    """Within, this process is the first of those that work together; they are connected.

    Args:
        verb: the job.
        config: its configuration, whose `trainer` says how many processes and where, unless
        trainer: says so.
        changed: settings that have another value in the other processes.
    """
    available = torch.cuda.device_count()
    places: Mapping[str, Any] = config.trainer if trainer is None else trainer
    wanted = count(places, available)
    outside = started_outside()
    if not outside and wanted < 2:
        yield
        return

    # Start the others, or follow the one that started this; torchrun and srun look after theirs themselves.
    children: list[subprocess.Popen[bytes]] = []
    done = threading.Event()
    before = dict(os.environ)
    if not outside:
        meeting = _meeting(wanted)  # as long as this is there, the port is theirs
        children += _start(verb, wanted, meeting.port)
        threading.Thread(target=_watch, args=(children, done), daemon=True).start()
    elif STARTED_BY in os.environ:
        threading.Thread(target=_follow, args=(int(os.environ[STARTED_BY]), done), daemon=True).start()

    # Work together. An error here ends the others: they would wait for this process forever.
    try:
        if children:
            _hand_over(handed_over(config, changed), children)
        _connect(cards(places, available))
        yield
        torch.distributed.barrier()
    except BaseException:
        for child in children:
            child.kill()
        raise

    # However it ended, a sweep's next job starts from the environment as it was.
    finally:
        done.set()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        _end(children)
        os.environ.clear()
        os.environ.update(before)


def _meeting(wanted: int) -> Any:
    """Where so many processes will meet: on a port that is taken at once.

    One that is only looked for may be another program's seconds later, when they meet. `_connect` comes to this store
    by its port: torch has one of several tenants for a port within a process.
    """
    store: Any = vars(torch.distributed)["TCPStore"]  # of which its types know nothing
    return store("127.0.0.1", 0, wanted, is_master=True, wait_for_workers=False, multi_tenant=True)


def _start(verb: str, wanted: int, port: int) -> list[subprocess.Popen[bytes]]:
    """The further ones of `wanted` processes, which wait for their configuration; this one is the first from now on."""
    place = {"NODE_RANK": "0", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": str(wanted)}
    os.environ.update({**place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    command = [sys.executable, "-m", "clir_lightning.jobs.launch.further", verb]
    children = []
    for number in range(1, wanted):
        own = {"LOCAL_RANK": str(number), "RANK": str(number), STARTED_BY: str(os.getpid())}
        environment = {**os.environ, **own}
        children.append(subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
    return children


def _hand_over(content: bytes, children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Give each further process its configuration."""
    for child in children:
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin as stream:  # one that has ended already is `_watch`'s to report
            stream.write(content)


def _watch(children: list[subprocess.Popen[bytes]], done: threading.Event) -> None:
    """End all when one fails: the others would wait for it forever. One that is ending by itself has time to."""
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


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until the further processes have ended, and no longer than `GRACE` for all."""
    deadline = time.monotonic() + GRACE
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()


def _connect(gpus: list[int] | None) -> None:
    """Join the others, on this process's own of the GPUs or without one.

    What srun or torchrun call otherwise gets the names that Lightning reads.
    """
    # Further processes have the first one's folder; those that were started outside must be told of one.
    told = any(override.startswith("hydra.run.dir=") for override in HydraConfig.get().overrides.hydra)
    if rank() and STARTED_BY not in os.environ and not told:
        raise ConfigError("processes that are started together need one folder; give hydra.run.dir=FOLDER")

    # Everyone reads torchrun's names.
    if "SLURM_STEP_NUM_TASKS" in os.environ and "RANK" not in os.environ:
        from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

        slurm = SLURMEnvironment(auto_requeue=False)
        os.environ.update(MASTER_ADDR=slurm.main_address, MASTER_PORT=str(slurm.main_port))
        names = {"RANK": "PROCID", "LOCAL_RANK": "LOCALID", "NODE_RANK": "NODEID", "WORLD_SIZE": "STEP_NUM_TASKS"}
        os.environ.update({name: os.environ[f"SLURM_{source}"] for name, source in names.items()})
    os.environ.setdefault("NODE_RANK", os.environ.get("GROUP_RANK", "0"))

    # Join the others, which may be busy with the data for a while.
    if gpus is not None:
        torch.cuda.set_device(gpus[int(os.environ["LOCAL_RANK"])])
    backend = "gloo" if gpus is None else "nccl"
    torch.distributed.init_process_group(backend, timeout=timedelta(minutes=30))
