"""The `clir` program, run as a user would run it."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from clir_lightning.cli import main

ROOT = Path(__file__).parents[1]
# A second of each training would go into token vectors that two steps make nothing of.
RANDOM = "encoder.cooccurrence=false"
SHORT = ("trainer.max_epochs=1", "+trainer.limit_train_batches=2", "candidates.val_queries=3", RANDOM)
HANG = 1800  # seconds, ten times what the longest run takes: no slowness of a busy machine, only a hang
COMMAND = (sys.executable, "-c", "from clir_lightning.cli import main; main()")

# One thread a process, and a Java that compiles little: several processes of small work share a machine's processors,
# and threads that wait for each other keep them busy.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# W&B gives a process of its own half a minute to begin, and a run a minute and a half: not on a machine that is busy.
os.environ["WANDB__SERVICE_WAIT"] = os.environ["WANDB_INIT_TIMEOUT"] = str(HANG)

# Importing torch, Lightning and Hydra takes most of a short run's time: one server imports them once, and each run is
# a fork of it. The server has started no thread, no Java and no W&B (whose temporary folder forks would share and
# remove), so that a fork is as good as a new process.
os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's library is imported, in the server
server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(
    [
        *("clir_lightning.jobs.train", "clir_lightning.jobs.compare", "clir_lightning.models.tiny", "faiss"),
        *("transformers.models.bert.modeling_bert", "babel.numbers", "babel.languages"),
    ]
)


def within(arguments: Sequence[str], cwd: Path, environment: dict[str, str], script: Path | None = None) -> None:
    """The program, or a script, within a fork of the server: folder and environment are its own."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    try:
        if script:
            sys.argv = [str(script), *arguments]
            sys.path.insert(0, str(script.parent))
            runpy.run_path(str(script), run_name="__main__")
        else:
            main(list(arguments))
    finally:
        atexit._run_exitfuncs()  # a fork skips them otherwise


def _forked(
    arguments: Sequence[str], cwd: Path, environment: dict[str, str], said: tuple[Path, Path], script: Path | None
) -> None:
    for path, stream in zip(said, (1, 2), strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), stream)
    within(arguments, cwd, environment, script)


def begin(*arguments: str, cwd: Path, said: tuple[Path, Path], script: Path | None = None) -> BaseProcess:
    """Start the program, or a script, as a fork of the server, offline; its output goes to two files."""
    environment = {**os.environ, "WANDB_MODE": "offline", "COLUMNS": "100"}
    for path in said:
        path.touch()
    process = server.Process(target=_forked, args=(arguments, cwd, environment, said, script))
    process.start()
    return process


def clir(
    *arguments: str, cwd: Path, check: bool = True, timeout: int = HANG, fork: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the `clir` program as a user would, offline; `fork=False` starts it as a program of its own."""
    if fork:
        done = _to_its_end(*arguments, cwd=cwd, timeout=timeout)
    else:
        command = [*COMMAND, *arguments]
        environment = {**os.environ, "WANDB_MODE": "offline", "COLUMNS": "100"}
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=timeout, env=environment, stdin=subprocess.DEVNULL
        )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def python(script: Path, *arguments: str, cwd: Path) -> str:
    """What `python SCRIPT …` prints, in a fork of the server."""
    done = _to_its_end(*arguments, cwd=cwd, script=script)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _to_its_end(
    *arguments: str, cwd: Path, timeout: int = HANG, script: Path | None = None
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        said = (Path(folder) / "stdout", Path(folder) / "stderr")
        process = begin(*arguments, cwd=cwd, said=said, script=script)
        process.join(timeout)
        texts = [path.read_text(encoding="utf-8") for path in said]
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, timeout, *texts)
    return subprocess.CompletedProcess(arguments, process.exitcode, *texts)


def until(condition: Callable[[], bool], process: BaseProcess) -> None:
    """Wait for what a running program does; `TimeoutExpired` after `HANG`, and nothing where the program ends first."""
    end = time.monotonic() + HANG
    while not condition() and process.exitcode is None:
        if time.monotonic() > end:
            process.kill()
            raise subprocess.TimeoutExpired("clir", HANG)
        time.sleep(0.02)
