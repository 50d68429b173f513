"""The machine: what it is, what is installed, and its own limits, `python -m benchmarks.machine`.

`--limit float32` is a worker that measures nothing but matrix products of an encoder's shapes: no encoder can be faster
than these alone.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from benchmarks.material import settings
from benchmarks.turns import INTERPRETER, ROOT, spread, table, write_part
from benchmarks.worker import serve
from torch.nn.functional import linear
from transformers import AutoConfig

PACKAGES = ("torch", "transformers", "tokenizers", "sentence-transformers", "pytorch-lightning", "numpy")
PEERS = ("torch", "transformers", "sentence-transformers", "onnxruntime", "openvino", "optimum-intel", "nncf")
ROWS = (512, 2048, 8192)  # tokens that are multiplied at a time; the fastest counts
SPAN = 0.5  # seconds of products for each of them, a turn


def products(encoder: str, precision: str, flops: float) -> dict[str, float]:
    """Rows a second that the products alone would allow, at so many operations a row: the fastest of `ROWS`."""
    config: Any = AutoConfig.from_pretrained(encoder)
    width = config.hidden_size
    inner = config.intermediate_size
    shapes = [(3 * width, width), (width, width), (inner, width), (width, inner)]  # of one layer: out, in
    dtype = getattr(torch, precision)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weights = [torch.randn(shape, device=device).to(dtype) for shape in shapes]
    best = 0.0
    with torch.inference_mode():
        for rows in ROWS:
            inputs = [torch.randn(rows, weight.shape[1], device=device).to(dtype) for weight in weights]
            work = 2 * rows * sum(weight.numel() for weight in weights)
            best = max(best, _calls_a_second(inputs, weights) * work)
    return {"rate": best / flops, "gflops": best / 1e9}


def _calls_a_second(inputs: list[torch.Tensor], weights: list[torch.Tensor]) -> float:
    """How often a second all products are made, behind two warm rounds."""
    start = 0.0
    count = -2
    while count < 1 or time.perf_counter() - start < SPAN:
        if count == 0:
            _wait()
            start = time.perf_counter()
        for values, weight in zip(inputs, weights, strict=True):
            linear(values, weight)
        count += 1
    _wait()
    return count / (time.perf_counter() - start)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def bandwidth() -> float:
    """GB/s read and written by a copy of 512 MB."""
    here = torch.ones(2**27)
    there = torch.empty_like(here)
    there.copy_(here)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        there.copy_(here)
        seconds.append(time.perf_counter() - start)
    return 2 * here.nbytes / min(seconds) / 1e9


def processor() -> str:
    """The processor's name, with the instructions that matter here."""
    fields: dict[str, str] = {}
    if (file := Path("/proc/cpuinfo")).is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")
    flags = [name for name in wanted if name in fields.get("flags", "").split()]
    numbers = ", ".join(f"{name} {fields[name]}" for name in ("cpu family", "model") if name in fields)
    return f"{fields.get('model name', platform.processor())} ({numbers}), {' '.join(flags)}"


LIST = """
import importlib.metadata, json
print(json.dumps({one.metadata["Name"].lower(): one.version for one in importlib.metadata.distributions()}))
"""


def theirs_installed() -> dict[str, str]:
    """Versions by package of the other tools' environment; nothing where there is none."""
    if not Path(INTERPRETER).exists():
        return {}
    found: dict[str, str] = json.loads(subprocess.check_output([INTERPRETER, "-c", LIST], text=True))
    return found


def versions(packages: tuple[str, ...]) -> str:
    """Names and versions of those that are installed."""
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} –")
    return ", ".join(found)


def facts() -> list[list[str]]:
    """Rows for a table: what and which."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT)
    theirs = theirs_installed()
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return [
        ["processor", processor()],
        ["cores, threads of torch", f"{cores}, {torch.get_num_threads()}"],
        ["memory", f"{memory:.0f} GB, {bandwidth():.0f} GB/s read and written in a copy"],
        ["GPU", ", ".join(gpus) or "none"],
        ["load when it began", f"{os.getloadavg()[0]:.2f}"],
        ["system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"],
        ["this project", f"commit {commit.stdout.strip()}; {versions(PACKAGES)}"],
        ["peers", ", ".join(f"{name} {theirs[name]}" for name in PEERS if name in theirs) or "not installed"],
    ]


def main() -> None:
    """Print the facts, or measure products in turns."""
    parser = settings(__doc__)
    parser.add_argument("--limit", help="worker: float32 or bfloat16")
    parser.add_argument("--flops", type=float, default=6.04e9, help="of one row")
    given = parser.parse_args()
    if given.limit:
        products(given.encoder, given.limit, given.flops)
        serve(lambda: products(given.encoder, given.limit, given.flops))
        return
    blocks = [table(["", ""], facts())]
    limits = [
        [name, spread([products(given.encoder, name, given.flops)["gflops"] for _ in range(given.turns)], 0)]
        for name in ("float32", "bfloat16")
    ]
    blocks.append(table(["matrix products of the encoder's shapes", "GFLOP/s"], limits))
    write_part(given.output, "machine", "Machine", blocks)


if __name__ == "__main__":
    main()
