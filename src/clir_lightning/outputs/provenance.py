"""Where a result came from: configuration, versions, commit, seed, machine and the seconds that each stage took."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from clir_lightning.data.files.lines import write_whole

PACKAGES = (
    "clir-lightning",
    "torch",
    "pytorch-lightning",
    "transformers",
    "tokenizers",
    "hydra-core",
    "bm25s",
    "numpy",
)


class Stopwatch:
    """Seconds per stage, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 2)


def commit() -> str | None:
    """The commit of the checkout that the package runs from, with `+changes` if it differs; `None` if installed."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(folder)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        # Without taking the index's lock: somebody may commit at this moment.
        status = [*git, "--no-optional-locks", "status", "--porcelain"]
        dirty = subprocess.run(status, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """What the job ran on."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def write_json(content: object, path: Path) -> None:
    """Write a JSON file that appears whole or not at all."""
    with write_whole(path) as stream:
        json.dump(content, stream, indent=2, ensure_ascii=False)
        stream.write("\n")


def versions() -> dict[str, str]:
    """Those of the packages that decide numbers; torch's own names its build too, for which GPUs it is."""
    return {**{package: version(package) for package in PACKAGES}, "torch": torch.__version__}


def provenance(
    config: dict[str, Any], seed: int | None, watch: Stopwatch, *, trained: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The content of `provenance.json`; `trained` are the settings of the training whose model a job scored."""
    return {
        "config": config,
        **({} if trained is None else {"trained": trained}),
        "seed": seed,
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
        "seconds": watch.seconds,
    }
