"""What several GPUs do together, one process for each: rows gathered, a step shared out, weights shared out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from benchmarks.gpu_check import Check, Machine, Outcome, Skipped, at_most
from benchmarks.gpu_material import EXACT, batch, greatest_difference, lengths
from benchmarks.gpu_material import folder as model_folder
from benchmarks.gpu_paths import GRADIENTS, apart, model
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.multiprocessing.spawn import ProcessRaisedException, start_processes
from torch.nn.parallel import DistributedDataParallel

from clir_lightning.lightning.sharding import shard
from clir_lightning.losses.pairwise import SoftmaxHinge
from clir_lightning.scoring.gathering import gather_rows, summed

PATIENCE = timedelta(seconds=60)  # for a process that does not come


def _place(machine: Machine, rank: int) -> torch.device:
    return torch.device("cuda", rank) if machine.device.type == "cuda" else torch.device("cpu")


def _joined(rank: int, machine: Machine, folder: str, work: Callable[[int, Machine, torch.device], Any]) -> None:
    """One of the processes: what `work` gives there goes to a file."""
    tempfile.tempdir = folder  # which the first process removes
    model_folder(EXACT)  # while alone: transformers has one of several connected processes write
    device = _place(machine, rank)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=machine.cards,
        timeout=PATIENCE,
    )
    torch.save(work(rank, machine, device), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def together(work: Callable[[int, Machine, torch.device], Any], machine: Machine) -> list[Any]:
    """What `work` gives in a process for each card; the first error of one is raised."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        arguments = (machine, folder, work)
        try:
            start_processes(_joined, arguments, nprocs=machine.cards, start_method="forkserver")  # type: ignore[no-untyped-call]
        except ProcessRaisedException as error:  # its text is a traceback, the error at its end
            raise RuntimeError(str(error).strip().splitlines()[-1]) from error
        return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(machine.cards)]


def _gather(rank: int, machine: Machine, device: torch.device) -> dict[str, Tensor]:
    """Rank r brings r + 1 rows of r + 1, weighs all rows by their place, and adds up its r + 1."""
    own = torch.full((rank + 1, 2), float(rank + 1), device=device, requires_grad=True)
    rows, mine = gather_rows(own)
    place = torch.arange(len(rows), device=device, dtype=torch.float)
    torch.autograd.backward((rows * place[:, None]).sum())
    assert own.grad is not None
    total = summed(torch.full((), float(rank + 1), device=device))
    return {
        "rows": rows.detach().cpu(),
        "gradient": own.grad.cpu(),
        "sum": total.cpu(),
        "first": torch.tensor(mine.start),
    }


def gathering(machine: Machine) -> Outcome:
    """Rows of all cards in each of them, their gradients and a sum, over NCCL."""
    everyone = together(_gather, machine)
    right = torch.cat([torch.full((rank + 1, 2), float(rank + 1)) for rank in range(machine.cards)])
    worst = 0.0
    for rank, found in enumerate(everyone):
        first = rank * (rank + 1) // 2
        places = torch.arange(first, first + rank + 1, dtype=torch.float)[:, None].expand(-1, 2)
        worst = max(worst, greatest_difference(found["rows"], right))
        worst = max(worst, greatest_difference(found["gradient"], machine.cards * places))
        worst = max(worst, abs(float(found["sum"]) - machine.cards * (machine.cards + 1) / 2))
    return at_most(worst, 0)


def _gradients(made: nn.Module, net: nn.Module, rank: int, world: int, device: torch.device) -> dict[str, Tensor]:
    """Those of the mean over all processes of a step of which each has an equal share."""
    rows = batch(lengths(8 * world).tolist(), documents=2)
    part = list(rows.parts(1))[4 * rank : 4 * (rank + 1)]
    torch.set_float32_matmul_precision("highest")
    losses = [SoftmaxHinge()(net(some), some.grades).mean() for some in (each.to(device) for each in part)]
    torch.autograd.backward(torch.stack(losses).mean())
    found = {}
    for name, weight in made.named_parameters():
        if weight.grad is not None:
            gradient = weight.grad.full_tensor() if isinstance(weight.grad, DTensor) else weight.grad
            found[name] = gradient.cpu()
    return found


def _ddp(rank: int, machine: Machine, device: torch.device) -> dict[str, Tensor]:
    """The step's four queries of this process in one batch, as DistributedDataParallel counts passes."""
    made = model().to(device)
    net = DistributedDataParallel(made, device_ids=[device] if device.type == "cuda" else None)
    rows = batch(lengths(8 * machine.cards).tolist(), documents=2)
    part = list(rows.parts(8 * rows.input_ids.shape[1]))[rank].to(device)
    torch.set_float32_matmul_precision("highest")
    torch.autograd.backward(SoftmaxHinge()(net(part), part.grades).mean())
    return {name: weight.grad.cpu() for name, weight in made.named_parameters() if weight.grad is not None}


def _fsdp(rank: int, machine: Machine, device: torch.device) -> dict[str, Tensor]:
    made = model().to(device)
    shard(made, init_device_mesh(device.type, (machine.cards,)))
    return _gradients(made, made, rank, machine.cards, device)


def shared_out(work: Callable[[int, Machine, torch.device], Any], fewest: int) -> Check:
    """A step shared out over the cards has the gradients of the whole step on one CPU."""

    def check(machine: Machine) -> Outcome:
        if machine.cards < fewest:
            raise Skipped(f"needs {fewest} GPUs, there is {machine.cards}")
        made = model()
        rows = batch(lengths(8 * machine.cards).tolist(), documents=2)
        torch.autograd.backward(SoftmaxHinge()(made(rows), rows.grades).mean())
        right = {name: weight.grad for name, weight in made.named_parameters() if weight.grad is not None}
        return at_most(max(apart(found, right) for found in together(work, machine)), GRADIENTS)

    return check


CARDS: dict[str, Check] = {
    "NCCL: rows and sums of all cards": gathering,
    "NCCL: a step of two cards or more (DDP)": shared_out(_ddp, 2),
    "FSDP2: a step with weights shared out": shared_out(_fsdp, 1),
}
