"""Training that stops on purpose, and the generators' states that let it go on."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed

import program  # its server starts processes within a second
from clir_lightning.errors import ClirError
from clir_lightning.lightning.callbacks.interruption import SIGNALS, FiniteLoss, Interruption, Preempted
from clir_lightning.lightning.callbacks.resumption import Resumption
from clir_lightning.types import Sample

TRAINER: Any = SimpleNamespace(global_rank=0, global_step=7, current_epoch=2)
MODULE: Any = None


def test_a_loss_that_is_not_a_number_stops_and_names_the_batch(tmp_path: Path) -> None:
    guard = FiniteLoss(tmp_path)
    batch = SimpleNamespace(samples=(Sample("q", ("a", "b"), (1, 0)),))
    guard.on_train_batch_start(TRAINER, MODULE, batch, 0)
    guard.on_before_backward(TRAINER, MODULE, torch.tensor(0.5))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ClirError, match="the loss is nan at step 7"):
        guard.on_before_backward(TRAINER, MODULE, torch.tensor(torch.nan))
    kept = json.loads((tmp_path / "bad_batch.json").read_text())
    assert kept == {"epoch": 2, "step": 7, "samples": [{"query": "q", "documents": ["a", "b"]}]}


def draws() -> tuple[float, float, float]:
    return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002


def test_generators_go_on_where_they_were_saved(tmp_path: Path) -> None:
    torch.save(Resumption().state_dict(), tmp_path / "state")  # as plain as a checkpoint must be
    expected = draws()
    draws()
    again = Resumption()
    again.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    draws()
    again.on_train_batch_start(TRAINER, MODULE, None, 0)
    assert draws() == expected
    again.on_train_batch_start(TRAINER, MODULE, None, 1)
    assert draws() != expected


def trainer_of(told: list[bool]) -> Any:
    """A trainer of one process that notes what it is asked to decide."""

    def decide(decision: bool, all: bool) -> bool:  # noqa: A002  Lightning's name
        told.append(decision)
        return decision

    strategy = SimpleNamespace(reduce_boolean_decision=decide)
    return SimpleNamespace(strategy=strategy, is_global_zero=True, global_step=7)


def test_a_signal_saves_at_the_end_of_the_step_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    checkpoints: Any = SimpleNamespace(folder=tmp_path, save=lambda trainer: saved.append(trainer.global_step))
    before = {number: signal.getsignal(number) for number in SIGNALS}
    told: list[bool] = []
    interruption, trainer = Interruption(checkpoints), trainer_of(told)
    try:
        interruption.on_train_start(trainer, MODULE)
        interruption.on_train_batch_end(trainer, MODULE, None, None, 0)
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(Preempted, match="stopped by a signal after step 7"):
            interruption.on_train_batch_end(trainer, MODULE, None, None, 1)
        interruption.on_exception(trainer, MODULE, Preempted())
        assert (told, saved) == ([False, True], [7])
        assert signal.set_wakeup_fd(-1) == -1  # nothing listens any more
        interruption.on_test_start(trainer, MODULE)
        with pytest.raises(Preempted, match="stopped by SIGTERM in the test; the same command with resume=auto"):
            os.kill(os.getpid(), signal.SIGTERM)
        assert saved == [7]
    finally:
        interruption.teardown(trainer, MODULE, "test")
        for number, handler in before.items():
            signal.signal(number, handler)


def hang(rank: int, folder: str) -> None:
    """Process 0 waits within a step for process 1, which does not come."""
    meet = f"file://{folder}/meet"
    torch.distributed.init_process_group("gloo", init_method=meet, rank=rank, world_size=2)
    if rank == 1:
        time.sleep(600)
    os.dup2(os.open(f"{folder}/said", os.O_WRONLY | os.O_CREAT), 2)
    checkpoints: Any = SimpleNamespace(folder=Path("checkpoints"))
    interruption = Interruption(checkpoints, grace=1)
    interruption.on_train_start(TRAINER, MODULE)
    Path(folder, "waiting").touch()
    torch.distributed.barrier()


def test_a_signal_ends_a_process_that_waits_for_another_for_ever(tmp_path: Path) -> None:
    server = multiprocessing.get_context("forkserver")
    processes = [server.Process(target=hang, args=(rank, str(tmp_path))) for rank in (0, 1)]
    for process in processes:
        process.start()
    try:
        while not (tmp_path / "waiting").exists():
            assert processes[0].is_alive()
            time.sleep(0.05)
        time.sleep(0.5)  # into the barrier
        os.kill(processes[0].pid or 0, signal.SIGTERM)
        processes[0].join(program.HANG)
        assert processes[0].exitcode == 128 + signal.SIGTERM
        assert "clir: received SIGTERM, and no step has ended for" in (tmp_path / "said").read_text()
    finally:
        for process in processes:
            process.kill()


def test_steps_that_go_on_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second of grace, and a step of training or of validation each tenth: nothing ends for a second."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    checkpoints: Any = SimpleNamespace(folder=Path("checkpoints"))
    before = {number: signal.getsignal(number) for number in SIGNALS}
    interruption, trainer = Interruption(checkpoints, grace=0.5), trainer_of([])
    try:
        interruption.on_train_start(trainer, MODULE)
        os.kill(os.getpid(), signal.SIGTERM)
        for number in range(10):
            time.sleep(0.1)
            interruption.on_validation_batch_end(trainer, MODULE, None, None, number)
        assert ended == []
        time.sleep(1.2)
        assert ended[0] == 128 + signal.SIGTERM
    finally:
        interruption.teardown(trainer, MODULE, "fit")
        for number, handler in before.items():
            signal.signal(number, handler)
