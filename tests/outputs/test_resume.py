"""Training killed at any moment ends, resumed, with the very weights and measures of the undisturbed one."""

from __future__ import annotations

import json
import os
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from clir_lightning.errors import ConfigError
from clir_lightning.outputs.resume import differing, start
from program import HANG, RANDOM, begin, clir, until

RUN = (
    RANDOM,
    "trainer.max_epochs=3",
    "batches.size=4",
    "+trainer.limit_train_batches=12",
    "candidates.val_queries=3",
    "candidates.test_queries=3",
    "checkpoint_steps=5",
    "resume=auto",
    "hydra.run.dir=out",
)


def started(folder: Path) -> BaseProcess:
    return begin("train", *RUN, cwd=folder, said=(folder / "said", folder / "said"))


def written(folder: Path) -> float:
    last = folder / "out" / "checkpoints" / "last.ckpt"
    return last.stat().st_mtime if last.exists() else 0.0


def until_next_checkpoint(process: BaseProcess, folder: Path) -> None:
    before = written(folder)
    until(lambda: written(folder) != before, process)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "out" / "checkpoints" / "last.ckpt", weights_only=True)
    return state["state_dict"]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    clir("train", *RUN, cwd=folder)
    return folder


def assert_same(folder: Path, undisturbed: Path) -> None:
    clir("train", *RUN, cwd=folder)
    for name in ("metrics.json", "runs/test.trec", "runs/val.trec", "per_query.csv"):
        assert (folder / "out" / name).read_bytes() == (undisturbed / "out" / name).read_bytes(), name
    one, other = weights(folder), weights(undisturbed)
    assert all(torch.equal(one[name], other[name]) for name in other)
    steps = [line.split(",")[1] for line in (folder / "out" / "metrics.csv").read_text().splitlines()]
    assert steps == [line.split(",")[1] for line in (undisturbed / "out" / "metrics.csv").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "seed"), [(3, 1), (8, 2)])
def test_killed_at_random_moments_the_same_command_ends_the_same(
    kills: int, seed: int, undisturbed: Path, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    for _ in range(kills):
        process = started(tmp_path)
        if rng.random() < 0.8:  # else in the start
            until_next_checkpoint(process, tmp_path)
        time.sleep(rng.random() / 2)
        process.kill()
        process.join()
    assert_same(tmp_path, undisturbed)


@pytest.mark.slow
def test_a_signal_saves_within_the_epoch_and_the_same_command_goes_on(undisturbed: Path, tmp_path: Path) -> None:
    process = started(tmp_path)
    until_next_checkpoint(process, tmp_path)
    process.terminate()
    process.join(HANG)
    assert process.exitcode == 1
    said = (tmp_path / "said").read_text().strip().splitlines()[-1]
    assert said.startswith("clir train: stopped by a signal after step ")
    assert "the same command with resume=auto goes on" in said
    last = tmp_path / "out" / "checkpoints" / "last.ckpt"
    os.truncate(last, last.stat().st_size // 2)  # and a damaged one sends it to the one before
    assert_same(tmp_path, undisturbed)
    assert "last.ckpt is truncated or damaged" in (tmp_path / "out" / "train.log").read_text()


def test_a_finished_job_is_not_done_again(undisturbed: Path) -> None:
    before = (undisturbed / "out" / "metrics.json").stat().st_mtime_ns
    done = clir("train", *RUN, cwd=undisturbed)
    assert "is finished: nothing is left to do" in done.stdout + done.stderr
    assert (undisturbed / "out" / "metrics.json").stat().st_mtime_ns == before


def test_other_settings_are_rejected(undisturbed: Path, tmp_path: Path) -> None:
    config = json.loads((undisturbed / "out" / "provenance.json").read_text())["config"]
    other = {**config, "seed": 2, "logger": {}, "cache": "/elsewhere"}
    assert differing(config, other) == ["seed: 1 then, 2 now"]
    with pytest.raises(ConfigError, match=r"is of other settings .seed: 1 then, 2 now.; give these, or another folder"):
        start("auto", other, undisturbed / "out")
    with pytest.raises(ConfigError, match=r"last.ckpt is of other settings .seed"):
        start(str(undisturbed / "out" / "checkpoints" / "last.ckpt"), other, tmp_path)
    with pytest.raises(ConfigError, match="missing or no whole checkpoint"):
        start("nowhere.ckpt", other, tmp_path)
