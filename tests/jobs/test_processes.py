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
    "loss=bce",  # pairs leave the score's bias without a gradient: Adam then follows the sign of the rounding error
)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a training in one process."""
    home = tmp_path_factory.mktemp("alone")
    clir("train", *RUN, "trainer.devices=1", "hydra.run.dir=out", cwd=home)
    return home / "out"


@pytest.mark.parametrize("trainer", ["ddp", "fsdp"])
def test_two_processes_end_with_the_weights_and_scores_of_one(trainer: str, alone: Path, tmp_path: Path) -> None:
    together = tmp_path / "out"
    clir("train", *RUN, f"trainer={trainer}", "trainer.devices=2", "hydra.run.dir=out", cwd=tmp_path, fork=False)
    one, two = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (alone, together)
    )
    assert list(one) == list(two)
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-5
    single, shared = (read_run(folder / "runs" / "test.trec") for folder in (alone, together))
    assert {query: set(shared[query]) for query in shared} == {query: set(single[query]) for query in single}
    assert all(
        shared[query][document] == pytest.approx(single[query][document], abs=1e-4)
        for query in single
        for document in single[query]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert json.loads((together / "provenance.json").read_text())["config"]["trainer"]["devices"] == 2


def test_shared_out_weights_of_a_dual_model_go_on_in_one_process(tmp_path: Path) -> None:
    run = [*(setting for setting in RUN if "limit" not in setting), "architecture=dual", "hydra.run.dir=out"]
    few = "+trainer.limit_train_batches=3"
    clir("train", *run, few, "trainer=fsdp", "trainer.devices=2", cwd=tmp_path, fork=False)
    checkpoint = tmp_path / "out" / "checkpoints" / "best.ckpt"
    scored = clir("evaluate", f"checkpoint={checkpoint}", "split=test1", "hydra.run.dir=again", cwd=tmp_path)
    assert "NDCG@10" in scored.stdout
    first, again = (read_run(tmp_path / name) for name in ("out/runs/test.trec", "again/runs/test.trec"))
    for query in first:
        assert again[query] == pytest.approx(first[query], abs=1e-5)


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
