"""`examples/cluster/`: what SLURM reads of the scripts, and both as they stand on a machine without it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hydra_plugins.hydra_submitit_launcher.config import LocalQueueConf, SlurmQueueConf

from lent import lent
from program import HANG, RANDOM, ROOT

CLUSTER = ROOT / "examples" / "cluster"
SHORT = ("trainer.max_epochs=1", "+trainer.limit_train_batches=1", "candidates.val_queries=2", RANDOM)
LAUNCHER = r"hydra\.launcher\.(\w+)="

# An `srun` that does what SLURM's does for one task: its number in the environment.
SRUN = """#!/bin/bash
echo "srun $*" >> srun.log
SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 exec "$@"
"""


def bash(script: str, *arguments: str, cwd: Path, variables: dict[str, str]) -> str:
    """What a script prints, with a `clir` and the `srun` above first on its path."""
    srun = cwd / "programs" / "srun"
    srun.parent.mkdir(exist_ok=True)
    srun.write_text(SRUN, encoding="utf-8")
    srun.chmod(0o755)

    command = ("bash", str(CLUSTER / script), *arguments)
    with lent() as programs:
        path = os.pathsep.join([str(programs), str(srun.parent), os.environ["PATH"]])
        more = {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "WANDB_MODE": "offline", **variables}
        environment = {**os.environ, **more}
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_slurm_reads_every_option() -> None:
    """It stops at the first line that is neither comment nor empty; the time is left to save in."""
    lines = (CLUSTER / "train.sbatch").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    options = [line for line in lines if line.startswith("#SBATCH ")]
    assert options == [line for line in lines[:first] if "#SBATCH" in line]
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+(=\S+)?", line) for line in options)
    assert {"#SBATCH --signal=USR1@120", "#SBATCH --requeue", "#SBATCH --gres=gpu:1"} <= set(options)


def test_the_sweep_sets_what_its_launchers_have() -> None:
    text = (CLUSTER / "sweep.sh").read_text(encoding="utf-8")
    for_all, _, for_slurm = text.partition("if [")
    assert set(re.findall(LAUNCHER, for_all)) <= set(LocalQueueConf.__dataclass_fields__)
    assert set(re.findall(LAUNCHER, text)) <= set(SlurmQueueConf.__dataclass_fields__)
    assert re.findall(LAUNCHER, for_slurm)


@pytest.mark.slow
def test_an_array_job_trains_its_seed_and_is_not_done_twice(tmp_path: Path) -> None:
    slurm = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_ARRAY_TASK_ID": "2", "SLURM_JOB_NODELIST": "localhost"}
    bash("train.sbatch", *SHORT, "candidates.test_queries=4", cwd=tmp_path, variables=slurm)
    assert (tmp_path / "runs" / "2" / "metrics.json").is_file()
    assert "srun clir train" in (tmp_path / "srun.log").read_text(encoding="utf-8")
    again = bash("train.sbatch", *SHORT, "candidates.test_queries=4", cwd=tmp_path, variables=slurm)
    assert "is finished: nothing is left to do" in again


@pytest.mark.slow
def test_the_sweep_runs_as_it_stands_without_slurm(tmp_path: Path) -> None:
    """Three seeds, if nothing else is said: here two, of little data."""
    settings = ("seed=1,2", *SHORT, "candidates.test_queries=4")
    told = bash("sweep.sh", *settings, cwd=tmp_path, variables={"LAUNCHER": "submitit_local"})
    assert "2 jobs finished, 0 failed" in told
    assert len(list((tmp_path / "sweeps" / "first").glob("*/metrics.json"))) == 2
    assert (tmp_path / "sweeps" / "first" / "comparison" / "report.html").is_file()
