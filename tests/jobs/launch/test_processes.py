"""Two processes train as one does, score each pair once, and share one folder; a sweep starts each job once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from clir_lightning.configuration import config_folder
from clir_lightning.data.files.trec import read_run
from clir_lightning.jobs.launch.further import handed_over, received
from clir_lightning.jobs.launch.processes import _follow, _hand_over, _meeting, _watch
from program import RANDOM, clir

RUN = (
    RANDOM,
    "trainer=ddp",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=10",
    "candidates.val_queries=3",
    "candidates.test_queries=5",
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


SWEEP = """# @package _global_
hydra:
  mode: MULTIRUN
  sweep: {dir: sweep}
  sweeper: {params: {seed: "1,2"}}
"""
FEW = """# @package _global_
trainer: {limit_train_batches: 10}
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep that a file describes: two seeds, each trained by two processes."""
    home = tmp_path_factory.mktemp("swept")
    (home / "own" / "sweep").mkdir(parents=True)
    (home / "own" / "sweep" / "seeds.yaml").write_text(SWEEP)
    (home / "own" / "more" / "experiment").mkdir(parents=True)
    (home / "own" / "more" / "experiment" / "few.yaml").write_text(FEW)
    run = [setting for setting in RUN if "limit" not in setting]
    fast = ("--config-dir", "own", "sweep=seeds", f"hydra.searchpath=[file://{home}/own/more]", "experiment=few")
    clir("train", *fast, *run, "trainer.devices=2", cwd=home)
    return home


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["ddp", "fsdp"])
def test_two_processes_end_with_the_weights_and_scores_of_one(
    trainer: str, alone: Path, swept: Path, tmp_path: Path
) -> None:
    together = swept / "sweep" / "0"
    if trainer == "fsdp":
        clir("train", *RUN, "trainer=fsdp", "trainer.devices=2", "hydra.run.dir=out", cwd=tmp_path)
        together = tmp_path / "out"
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
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
    assert json.loads((together / "provenance.json").read_text())["config"]["trainer"]["devices"] == 2


@pytest.mark.slow
def test_sharded_weights_of_a_dual_model_go_on_in_one_process(tmp_path: Path) -> None:
    """Three queries per step, and one for the validation: the second process has one of three, and none to score."""
    run = [
        *(setting for setting in RUN if "limit" not in setting and "val_queries" not in setting),
        "architecture=dual",
    ]
    few = ("+trainer.limit_train_batches=3", "batches.size=3", "candidates.val_queries=1")
    clir(
        "train",
        *run,
        *few,
        "hydra.run.dir=out",
        "module.chunk=2",
        "trainer=fsdp",
        "trainer.devices=2",
        cwd=tmp_path,
    )
    scored = clir("evaluate", "model=out", "split=test1", "hydra.run.dir=again", cwd=tmp_path)
    assert "NDCG@10" in scored.stdout
    first, again = (read_run(tmp_path / name) for name in ("out/runs/test.trec", "again/runs/test.trec"))
    for query in first:
        assert again[query] == pytest.approx(first[query], abs=1e-5)


@pytest.mark.slow
def test_a_sweep_of_a_file_with_two_processes_starts_each_job_once(swept: Path) -> None:
    folders = sorted(path for path in (swept / "sweep").iterdir() if path.is_dir())
    assert [path.name for path in folders] == ["0", "1", "comparison"]
    assert [json.loads((path / "provenance.json").read_text())["seed"] for path in folders[:2]] == [1, 2]
    assert sorted(path.name for path in swept.iterdir()) == ["own", "sweep"]


@pytest.mark.parametrize("sweep", ["original_table", "search"])
def test_a_further_process_of_a_sweeps_job_is_a_single_run(
    sweep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is handed the job as Hydra composed it, in the same folder, and runs once, whatever the file says."""
    runtime = (f"hydra.runtime.output_dir='{tmp_path}'", "hydra.runtime.choices={}", "hydra.job.num=3")
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        overrides = [f"sweep={sweep}", "seed=7", "+made='${hydra:job.num}'", "+on='${now:%f}'"]
        whole = compose("train", overrides=[*overrides, *runtime], return_hydra_config=True)
    HydraConfig.instance().set_config(whole)
    assert HydraConfig.get().mode == RunMode.MULTIRUN
    job = whole.copy()
    with read_write(job), open_dict(job):
        del job["hydra"]
    when = job.on
    content = handed_over(job, {"resume": "out/last.ckpt"})
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    config = received(content)
    assert HydraConfig.get().mode == RunMode.RUN
    assert HydraConfig.get().runtime.output_dir == str(tmp_path)
    assert (config.seed, config.resume, config.made, config.on) == (7, "out/last.ckpt", 3, when)
    assert job.resume is None
    assert OmegaConf.to_container(config, resolve=True) == {
        **OmegaConf.to_container(job, resolve=True),  # type: ignore[dict-item]
        "resume": "out/last.ckpt",
    }


@pytest.mark.slow
def test_a_further_process_says_why_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        overrides = ["loss=[]", f"hydra.runtime.output_dir='{tmp_path}'", "hydra.job.config_name=train"]
        whole = compose("train", overrides=overrides, return_hydra_config=True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    HydraConfig.instance().set_config(whole)
    with read_write(whole), open_dict(whole):
        content = handed_over(OmegaConf.masked_copy(whole, [str(key) for key in whole if key != "hydra"]), {})
    command = [sys.executable, "-m", "clir_lightning.jobs.launch.further", "train"]
    done = subprocess.run(command, input=content, capture_output=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1].startswith("clir train: there is no loss to train with")


def test_a_further_process_that_has_ended_already_does_not_end_the_first() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    child.wait()
    _hand_over(b"configuration" * 100_000, [child])


def test_the_port_where_processes_meet_is_taken_before_they_do() -> None:
    meeting = _meeting(1)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", meeting.port))

    # The process that took it meets the others there, by its address.
    again = type(meeting)("127.0.0.1", meeting.port, 1, is_master=True, multi_tenant=True)
    again.set("told", "here")
    assert meeting.get("told") == b"here"


class Clock(threading.Event):
    """Says that time is up at once, and that the job is done from the wait of that number on."""

    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done

    def wait(self, timeout: float | None = None) -> bool:
        self.done -= 1
        return self.done < 0


@pytest.mark.parametrize(("done", "killed"), [(1, []), (5, [signal.SIGKILL])])
def test_the_first_process_has_time_to_end_by_itself_after_another_failed(
    done: int, killed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):  # noqa: N818  what happens to a process, no error of its own
        pass

    def kill(process: int, number: int) -> None:
        found.append(number)
        raise Killed

    found: list[int] = []
    monkeypatch.setattr(os, "kill", kill)
    child: Any = SimpleNamespace(poll=lambda: 1, kill=lambda: None)
    with nullcontext() if not killed else pytest.raises(Killed):
        _watch([child], Clock(done))
    assert found == killed


def test_a_process_ends_with_the_one_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([5, 5, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as ended:
        _follow(5, Clock(100))
    assert ended.value.code == 1
    assert next(parents, None) is None
    _follow(5, Clock(0))  # its job is done: nothing to follow


@pytest.mark.slow
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
