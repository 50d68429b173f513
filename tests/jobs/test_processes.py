"""Two processes train as one does, score each pair once, and share one folder; a sweep starts each job once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clir_lightning.data.trec import read_run
from clir_lightning.jobs.processes import count
from program import clir

RUN = (
    "trainer=ddp",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=10",
    "datamodule.dev_queries=3",
    "datamodule.test_queries=5",
    "dropout=0",
    "optimizer.learning_rate=1e-4",
)


def test_two_processes_end_with_the_weights_and_scores_of_one(tmp_path: Path) -> None:
    for number in (1, 2):
        clir("train", *RUN, f"trainer.devices={number}", f"hydra.run.dir={number}", cwd=tmp_path, fork=False)
    one, two = (
        torch.load(tmp_path / number / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for number in "12"
    )
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-5
    alone, together = (read_run(tmp_path / number / "runs" / "test.trec") for number in "12")
    assert {query: set(together[query]) for query in together} == {query: set(alone[query]) for query in alone}
    assert all(
        together[query][document] == pytest.approx(alone[query][document], abs=1e-4)
        for query in alone
        for document in alone[query]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    assert json.loads((tmp_path / "2" / "provenance.json").read_text())["config"]["trainer"]["devices"] == 2


def test_a_sweep_of_jobs_with_two_processes_starts_each_once(tmp_path: Path) -> None:
    fast = ("+trainer.limit_train_batches=1", "hydra.sweep.dir=sweep")
    run = [setting for setting in RUN if "limit" not in setting]
    clir("train", "-m", "seed=1,2", *run, "trainer.devices=2", *fast, cwd=tmp_path, fork=False)
    folders = sorted(path for path in (tmp_path / "sweep").iterdir() if path.is_dir())
    assert [path.name for path in folders] == ["0", "1", "comparison"]
    assert [json.loads((path / "provenance.json").read_text())["seed"] for path in folders[:2]] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]


def test_torchrun_starts_the_processes_itself(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("from clir_lightning.cli import main; main()")
    fast = [setting for setting in RUN if "limit" not in setting]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(program)]
    arguments = ["train", *fast, "trainer.devices=2", "+trainer.limit_train_batches=1"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, *arguments, "hydra.run.dir=out"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(read_run(tmp_path / "out" / "runs" / "test.trec")) == 5


def test_devices_are_counted() -> None:
    assert count({"devices": "2", "accelerator": "cpu"}) == 2
    assert count({"devices": "auto", "accelerator": "cpu"}) == 1
    assert count({"devices": [1, 2, 3]}) == 3
