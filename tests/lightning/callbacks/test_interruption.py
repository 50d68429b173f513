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
from clir_lightning.lightning.callbacks import interruption as module
from clir_lightning.lightning.callbacks.interruption import SIGNALS, FiniteLoss, Interruption, Preempted
from clir_lightning.lightning.callbacks.resumption import Resumption
from clir_lightning.types import Sample
from lightning.shares_for_tests import together

TRAINER: Any = SimpleNamespace(global_rank=0, global_step=7, current_epoch=2)
MODULE: Any = None


def bad(guard: FiniteLoss) -> FiniteLoss:
    """After a step whose loss is a number and one whose loss is none."""
    for step, loss in enumerate([0.5, torch.nan]):
        batch = SimpleNamespace(samples=(Sample("q", ("a", f"b{step}"), (1, 0)),))
        guard.on_train_batch_start(TRAINER, MODULE, batch, step)
        guard.on_before_backward(TRAINER, MODULE, torch.tensor(loss))
    return guard


def test_a_loss_that_is_not_a_number_stops_the_step_after_it_and_names_its_batch(tmp_path: Path) -> None:
    guard = bad(FiniteLoss(tmp_path))
    assert not list(tmp_path.iterdir())
    later: Any = SimpleNamespace(global_rank=0, global_step=8, current_epoch=3)
    guard.on_train_batch_start(later, MODULE, SimpleNamespace(samples=()), 2)
    with pytest.raises(ClirError, match="the loss is nan at step 7"):
        guard.on_before_backward(later, MODULE, torch.tensor(0.5))
    kept = json.loads((tmp_path / "bad_batch.json").read_text())
    assert kept == {"epoch": 2, "step": 7, "samples": [{"query": "q", "documents": ["a", "b1"]}]}


@pytest.mark.parametrize("hook", ["on_validation_start", "on_save_checkpoint", "on_train_epoch_end"])
def test_nothing_is_validated_or_saved_after_a_loss_that_is_not_a_number(hook: str, tmp_path: Path) -> None:
    guard = bad(FiniteLoss(tmp_path))
    more: tuple[Any, ...] = ({},) if hook == "on_save_checkpoint" else ()
    with pytest.raises(ClirError, match="the loss is nan at step 7"):
        getattr(guard, hook)(TRAINER, MODULE, *more)


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


def trainer_of(rank: int = 0, steps: int = 10) -> Any:
    """What the callback sees of a trainer."""
    epoch_loop = SimpleNamespace()
    return SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        fit_loop=SimpleNamespace(epoch_loop=epoch_loop),
        is_global_zero=rank == 0,
        global_step=7,
        num_training_batches=steps,
        val_check_batch=steps,
    )


def test_a_signal_saves_at_the_end_of_the_step_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    checkpoints: Any = SimpleNamespace(folder=tmp_path, save=lambda trainer: saved.append(trainer.global_step))
    before = {number: signal.getsignal(number) for number in SIGNALS}
    interruption, trainer = Interruption(checkpoints), trainer_of()
    try:
        interruption.on_train_start(trainer, MODULE)
        interruption.on_train_batch_end(trainer, MODULE, None, None, 0)
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(Preempted, match="stopped by a signal after step 7"):
            interruption.on_train_batch_end(trainer, MODULE, None, None, 1)
        interruption.on_exception(trainer, MODULE, Preempted())
        assert saved == [7]
        assert signal.set_wakeup_fd(-1) == -1  # nothing listens any more
        interruption.on_test_start(trainer, MODULE)
        with pytest.raises(Preempted, match="stopped by SIGTERM in the test; the same command with resume=auto"):
            os.kill(os.getpid(), signal.SIGTERM)
        assert saved == [7]
    finally:
        interruption.teardown(trainer, MODULE, "test")
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped_at(rank: int, world: int, folder: Path) -> list[int]:
    """The steps at whose end each of two processes saves, of which the second is told in step 3 or 9 of 10."""
    found = []
    for told in (3, 9):
        saved: list[int] = []
        checkpoints: Any = SimpleNamespace(folder=folder, save=lambda trainer, saved=saved: saved.append(1))
        interruption = Interruption(checkpoints)
        for step in range(10):
            interruption.received = signal.SIGTERM if rank == 1 and step >= told else None
            try:
                interruption.on_train_batch_end(trainer_of(rank), MODULE, None, None, step)
            except Preempted:
                found.append(step)
                break
        assert saved == [1]
    return found


def test_all_processes_stop_a_step_after_one_was_told_or_at_the_last_before_a_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert together(stopped_at, 2, tmp_path) == [[4, 9], [4, 9]]


def hang(rank: int, folder: str) -> None:
    """Process 0 waits within a step for process 1, which does not come."""
    meet = f"file://{folder}/meet"
    torch.distributed.init_process_group("gloo", init_method=meet, rank=rank, world_size=2)
    if rank == 1:
        time.sleep(600)
    os.dup2(os.open(f"{folder}/said", os.O_WRONLY | os.O_CREAT), 2)
    checkpoints: Any = SimpleNamespace(folder=Path("checkpoints"))
    interruption = Interruption(checkpoints, grace=1)
    interruption.on_train_start(trainer_of(), MODULE)
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


class Watch:
    """In the bell's and the clock's place: waiting winds it, and a step of validation ends whenever one is due."""

    def __init__(self, steps: list[float]) -> None:
        self.now = 0.0
        self.steps = steps
        self.closed = self
        self.interruption: Interruption | None = None

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        until = self.now + seconds
        assert until < 100, "it waits for ever"
        assert self.interruption is not None
        while self.steps and self.steps[0] <= until:
            self.now = self.steps.pop(0)
            self.interruption.on_validation_batch_end(trainer_of(), MODULE)
        self.now = until
        return False


def test_steps_that_go_on_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told at 0 with 4 seconds of grace, and a step each third second up to 12: 16 is not too long, 17 is."""

    class Ended(Exception):  # noqa: N818  what happens to the process, no error of its own
        pass

    def end(status: int) -> None:
        raise Ended(status)

    watch: Any = Watch([3.0, 6.0, 9.0, 12.0])
    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(module, "time", watch)
    checkpoints: Any = SimpleNamespace(folder=Path("checkpoints"))
    interruption = watch.interruption = Interruption(checkpoints, grace=4)
    interruption._bell = watch
    with pytest.raises(Ended) as ended:
        interruption._wait(signal.SIGTERM)
    assert ended.value.args == (128 + signal.SIGTERM,)
    assert (watch.now, watch.steps) == (17.0, [])
