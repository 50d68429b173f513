"""Sweeps: one bad job does not end the others, the same command does what is left, and the jobs are compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from program import RANDOM, clir

SWEEP = (
    "train",
    "-m",
    RANDOM,
    "seed=1,2",
    "architecture.pooling=cls,oops",
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=1",
    "candidates.val_queries=2",
    "candidates.test_queries=4",
    "hydra.sweep.dir=sweep",
)


def test_failed_jobs_are_listed_and_done_again_and_the_others_compared(tmp_path: Path) -> None:
    done = clir(*SWEEP, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "2 jobs finished, 2 failed" in done.stdout
    assert done.stdout.count("\n      architecture.pooling is 'oops'; allowed: cls, mean, parts") == 2
    assert "resume=auto does the failed ones again, and no other" in done.stdout
    folder = tmp_path / "sweep"
    assert sorted(path.parent.name for path in folder.glob("*/failed.json")) == ["1", "3"]
    table = (folder / "comparison" / "comparison.md").read_text()
    assert "cross" in table
    assert "±" in table  # the two seeds are one system
    finished = sorted(folder.glob("*/metrics.json"))
    assert [json.loads(path.with_name("provenance.json").read_text())["seed"] for path in finished] == [1, 2]
    before = {path: path.stat().st_mtime_ns for path in finished}
    again = clir(*SWEEP, "resume=auto", cwd=tmp_path, check=False)
    assert again.stdout.count("is finished: nothing is left to do") == 2
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/metrics.json")} == before


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_side_by_side(launcher: str, tmp_path: Path) -> None:
    pytest.importorskip(
        f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher", reason="the extra 'launchers' is absent"
    )
    small = [setting for setting in SWEEP if "pooling" not in setting]
    done = clir(*small, f"hydra/launcher={launcher}", cwd=tmp_path, fork=False)
    assert "2 jobs finished, 0 failed" in done.stdout
    assert len(list((tmp_path / "sweep").glob("*/metrics.json"))) == 2
    assert (tmp_path / "sweep" / "comparison" / "report.html").is_file()
