"""The folders that trainings write to: whether they can, and how much room there is."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from clir_lightning.data.store.amounts import size
from clir_lightning.data.store.inventory import size_of
from clir_lightning.machine.facts import BROKEN, LOOK, Fact

LOW = 2 * 10**9  # bytes below which a word is worth it
SECONDS = 3.0  # that counting a cache may take


def cache(folder: Path) -> Fact:
    """The cache of prepared data."""
    until = time.monotonic() + SECONDS
    held = size_of(folder, until) if folder.is_dir() else 0
    least = "more than " if time.monotonic() > until else ""
    said = "CLIR_CACHE" if os.environ.get("CLIR_CACHE") else "set CLIR_CACHE for another"
    return _written("cache", folder, f" ({said}), {least}{size(held)}", "set CLIR_CACHE to a folder that can be")


def outputs(folder: Path) -> Fact:
    """The folder that this process runs in, which gets `outputs/`."""
    return _written("outputs", folder, "", "go to a folder that can be, or set hydra.run.dir")


def _written(name: str, folder: Path, told: str, cure: str) -> Fact:
    """Whether files can be written to a folder, or to one that can be made there."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as stream:
            stream.write(b"x")
            stream.flush()
    except OSError as error:
        return Fact(name, f"{folder}{told}: cannot be written to ({error.strerror}); {cure}", BROKEN)
    free = shutil.disk_usage(there).free
    made = "" if there == folder else ", not made yet"
    return Fact(name, f"{folder}{told}{made}, {size(free)} free", LOOK if free < LOW else "")
