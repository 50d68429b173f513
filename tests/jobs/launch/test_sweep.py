"""Sweeps: one bad job does not end the others, the same command does what is left, and the jobs are compared."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from omegaconf import OmegaConf

from clir_lightning.jobs.launch import sweep
from lightning.loggers.test_wandb_run import files, records
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


def test_failed_jobs_are_told_though_another_command_begins_to_do_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It begins while the finished ones are compared."""
    for name in "012":
        (tmp_path / name).mkdir()
    for name in "01":
        (tmp_path / name / "metrics.json").write_text("{}")
    note = tmp_path / "2" / sweep.FAILED
    note.write_text(json.dumps({"overrides": ["seed=3"], "cause": "no room"}))
    monkeypatch.setattr(sweep, "_compare", lambda runs, folder: note.unlink())
    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    with pytest.raises(SystemExit):
        sweep.SweepEnd().on_multirun_end(config)
    said = capsys.readouterr().out
    assert said.startswith(f"2 jobs finished, 1 failed: {tmp_path}\n  2  seed=3\n      no room\n")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[CompletedProcess[str], Path]:
    """A sweep half of whose jobs fail, and the folder that it was started in."""
    home = tmp_path_factory.mktemp("swept")
    return clir(*SWEEP, "logger=[csv,wandb]", cwd=home, check=False), home


@pytest.mark.slow
def test_each_job_has_a_run_of_its_own_in_one_group_of_wandb(swept: tuple[CompletedProcess[str], Path]) -> None:
    runs = []
    for number in "02":
        (path,) = files(swept[1] / "sweep" / number)
        runs.append(next(record.run for record in records(path) if record.WhichOneof("record_type") == "run"))
    assert {run.run_group for run in runs} == {"sweep"}
    assert runs[0].run_id != runs[1].run_id
    seeds = [next(update.value_json for update in run.config.update if update.key == "seed") for run in runs]
    assert seeds == ["1", "2"]


@pytest.mark.slow
def test_failed_jobs_are_listed_and_done_again_and_the_others_compared(
    swept: tuple[CompletedProcess[str], Path],
) -> None:
    done, home = swept
    assert done.returncode == 1
    assert "2 jobs finished, 2 failed" in done.stdout
    assert done.stdout.count("\n      architecture.pooling is 'oops'; allowed: cls, mean, parts") == 2
    assert "resume=auto does the failed ones again, and no other" in done.stdout
    folder = home / "sweep"
    assert sorted(path.parent.name for path in folder.glob("*/failed.json")) == ["1", "3"]
    table = (folder / "comparison" / "comparison.md").read_text()
    assert "cross" in table
    assert "±" in table  # the two seeds are one system
    finished = sorted(folder.glob("*/metrics.json"))
    assert [json.loads(path.with_name("provenance.json").read_text())["seed"] for path in finished] == [1, 2]
    before = {path: path.stat().st_mtime_ns for path in finished}
    again = clir(*SWEEP, "logger=[csv,wandb]", "resume=auto", cwd=home, check=False)
    assert again.stdout.count("is finished: nothing is left to do") == 2
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/metrics.json")} == before


@pytest.mark.slow
def test_jobs_side_by_side(tmp_path: Path) -> None:
    """By joblib; `test_cluster.py` has them by submitit."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra 'launchers' is absent")
    small = [setting for setting in SWEEP if "pooling" not in setting]
    done = clir(*small, "hydra/launcher=joblib", cwd=tmp_path, fork=False)
    assert "2 jobs finished, 0 failed" in done.stdout
    assert len(list((tmp_path / "sweep").glob("*/metrics.json"))) == 2
    assert (tmp_path / "sweep" / "comparison" / "report.html").is_file()
