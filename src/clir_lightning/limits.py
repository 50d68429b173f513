"""What this process may use of its machine: processor cores and memory, as affinity and control groups leave them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
THREADS = "OMP_NUM_THREADS"  # read by torch and by NumPy's linear algebra when they are imported


def usable_cores() -> int:
    """The processor cores that this process may use; of a limit of 2.5 cores' worth of time, two."""
    limit = cpu_limit()
    return affinity() if limit is None else max(1, min(affinity(), int(limit)))


def affinity() -> int:
    """The processor cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads() -> None:
    """Let libraries not yet imported start no more threads than the control group gives cores, unless the user says."""
    # They count the cores that they may run on: 64 threads for four cores' worth of time wait for each other.
    if usable_cores() < affinity():
        os.environ.setdefault(THREADS, str(usable_cores()))


def cpu_limit(root: Path = CGROUPS) -> float | None:
    """The cores' worth of time that the control group gives, if it has a limit."""
    limits = []
    for folder in _groups(root, "cpu"):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            limits += [int(quota) / int(period)]
        with suppress(OSError, ValueError):
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            limits += [int(quota) / int(period)] if int(quota) > 0 else []
    return min(limits, default=None)


def memory_limit(root: Path = CGROUPS) -> int | None:
    """The bytes that the control group gives, if it has a limit."""
    limits = []
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text()))
    return min(limits, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups and of those around them, in either version."""
    # Both versions may be there at once, each with a group of its own; inside a container its names may mean nothing.
    names = {""}
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                names.add(path.strip("/"))
    for home in (root, root / controller):
        for place in (home / name for name in names):
            yield from (folder for folder in (place, *place.parents) if folder == home or home in folder.parents)
