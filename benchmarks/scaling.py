"""What training on 1, 8 and 64 GPUs costs, worked out from the encoders' sizes: `python benchmarks/scaling.py`.

Parameters, operations, bytes that processes send each other, seconds and memory, for docs/many-gpus.md. With
`--measure` two processes take a step of a dual encoder on the CPU, by gloo, and the bytes that they did send stand
beside those predicted. Nothing is read from a network or measured on a GPU: `Machine` names what is assumed.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.multiprocessing.spawn import start_processes
from torch.nn.parallel import DistributedDataParallel

from clir_lightning.data.batches.kinds import TextBatches
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.lightning.text_module import TextModule
from clir_lightning.losses.contrastive import InfoNCE
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder

FULL = 4  # bytes of a 32-bit number
HALF = 2
STATES = 4 * FULL  # a weight, its gradient and Adam's two means
KEPT = 34  # bytes a token, layer and unit of width that are kept for the gradients (Korthikanti et al., 2022)


@dataclass(frozen=True)
class Size:
    """An encoder of BERT's kind, without a pooler."""

    name: str
    vocabulary: int
    positions: int
    types: int
    width: int
    layers: int

    @property
    def embeddings(self) -> int:
        """Parameters of the embeddings: tables, and a norm's scale and shift."""
        return (self.vocabulary + self.positions + self.types + 2) * self.width

    @property
    def layer(self) -> int:
        """Parameters of a layer: 12·H² in its matrices, 13·H in biases and norms."""
        return 12 * self.width**2 + 13 * self.width

    @property
    def parameters(self) -> int:
        """Of the whole encoder."""
        return self.embeddings + self.layers * self.layer

    def operations(self, tokens: int) -> int:
        """Additions and multiplications that score a row: two a weight and token, and attention's two products."""
        return self.layers * (2 * 12 * self.width**2 * tokens + 4 * tokens**2 * self.width)


ENCODERS = (
    Size("mBERT", 119_547, 512, 2, 768, 12),
    Size("XLM-R base", 250_002, 514, 1, 768, 12),
    Size("XLM-R large", 250_002, 514, 1, 1024, 24),
)


@dataclass(frozen=True)
class Machine:
    """What is assumed of the hardware: H100s, eight a machine."""

    operations: float = 300e12  # a second in bfloat16: 30 % of the 989e12 on paper
    links: tuple[tuple[int, str, float], ...] = (  # GPUs, and bytes a second that one of them sends
        (8, "NVLink", 450e9),
        (8, "PCIe 4", 25e9),
        (64, "8 × 400 Gbit/s a machine", 400e9),
        (64, "100 Gbit/s a machine", 12.5e9),
    )


def all_reduced(count: int, processes: int) -> float:
    """Bytes that each process sends to sum `count` 32-bit numbers over all, round a ring (DistributedDataParallel)."""
    return 2 * (processes - 1) / processes * count * FULL


def sharded(size: Size, processes: int) -> float:
    """Bytes that each sends in a step of FSDP2 in bfloat16.

    Layers and token vectors are gathered in half precision twice, for the passes there and back, and gradients summed
    in full, to the process whose share they are.
    """
    return (processes - 1) / processes * size.parameters * (2 * HALF + FULL)


def gathered(queries: int, documents: int, width: int, processes: int) -> tuple[int, int]:
    """Bytes that each brings to in-batch negatives over all processes: its vectors, and the gradients of everyone's."""
    own = (queries + documents) * width * FULL
    return own, processes * own


def memory(size: Size, tokens: int, processes: int = 1) -> float:
    """Bytes on a GPU that trains rows of so many tokens in bfloat16; its share under FSDP2 of several processes.

    A whole copy in half precision lies beside the weights (autocast's), or two gathered layers and the token vectors.
    """
    activations = KEPT * size.layers * size.width * tokens
    copies = size.parameters if processes == 1 else 2 * size.layer + size.vocabulary * size.width
    return STATES * size.parameters / processes + HALF * copies + activations


def efficiency(compute: float, send: float) -> tuple[float, float]:
    """Of N GPUs' speed, the share that is left where sending waits for the whole step, and where it hides at best.

    Gradients can be sent while those of lower layers are computed, which takes two thirds of a step.

    >>> efficiency(3.0, 1.0), efficiency(3.0, 3.0)
    ((0.75, 1.0), (0.5, 0.75))
    """
    return compute / (compute + send), compute / (compute / 3 + max(2 * compute / 3, send))


def sending(size: Size, pairs: int, tokens: int, *, frozen: bool) -> list[list[str]]:
    """Lines of an encoder's training on several GPUs: `pairs` shared out, and as many on each."""
    learnt = size.parameters - (size.embeddings if frozen else 0)
    whole = 3 * size.operations(tokens) * pairs / Machine.operations
    rows = []
    for gpus, name, speed in Machine.links:
        seconds = all_reduced(learnt, gpus) / speed
        shared, each = efficiency(whole / gpus, seconds), efficiency(whole, seconds)
        rows.append([size.name + (", frozen=0" if frozen else ""), f"{gpus}, {name}"])
        rows[-1] += [f"{all_reduced(learnt, gpus) / 1e6:,.0f}", f"{1e3 * seconds:.1f}", f"{1e3 * whole / gpus:.2f}"]
        rows[-1] += [f"{worst:.0%} to {best:.0%}" for worst, best in (shared, each)]
    return rows


def table(head: list[str], rows: list[list[str]]) -> str:
    """As Markdown."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


class Counter:
    """Bytes that this process brings to collectives: buckets of gradients, and vectors `[…, P]` of a width P."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.buckets = 0
        self.vectors = 0
        self.back = 0

    def hook(self, state: Any, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
        """DistributedDataParallel's own sum of a bucket, counted."""
        self.buckets += bucket.buffer().nbytes
        return allreduce_hook(state, bucket)

    def counting(self, collective: Callable[..., Any], place: int, name: str) -> Callable[..., Any]:
        """A collective that counts the vectors in its argument at `place` under `name`."""

        def counted(*arguments: Any, **keywords: Any) -> Any:
            tensor = arguments[place]
            if tensor.is_floating_point() and tensor.ndim > 1 and tensor.shape[-1] == self.width:
                setattr(self, name, getattr(self, name) + tensor.nbytes)
            return collective(*arguments, **keywords)

        return counted


class Stepping(nn.Module):
    """A module's training step as a forward pass, which DistributedDataParallel wraps."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Any) -> Tensor:
        """The step's loss."""
        loss: Tensor = self.module.training_step(batch, 0)
        return loss


def counted_step(module: Any, batch: Any, width: int) -> Counter:
    """What this process brings to the collectives of one step of a dual encoder."""
    counter = Counter(width)
    wrapped = DistributedDataParallel(Stepping(module))
    wrapped.register_comm_hook(None, counter.hook)
    plain = (dist.all_gather, dist.all_reduce)
    dist.all_gather = counter.counting(dist.all_gather, 1, "vectors")
    dist.all_reduce = counter.counting(dist.all_reduce, 0, "back")
    try:
        wrapped(batch).backward()
    finally:
        dist.all_gather, dist.all_reduce = plain
    return counter


def _measured(rank: int, folder: str) -> None:
    """One of two processes: a step of eight queries with two documents each on the demo."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)

    # The same starting weights in both.
    demo = build_demo()
    torch.manual_seed(0)
    encoder = Encoder(f"{folder}/encoder")
    model = DualEncoder(encoder)
    module: Any = TextModule(model, {"infonce": InfoNCE()})
    module.log = module.log_dict = lambda *_, **__: None

    # This process's half of a step of 16 queries.
    data = RankingDataModule(demo, TextBatches(size=16), sampling=BestAgainstRandom())
    data.tokenise(encoder.tokenizer)
    batch = next(iter(data.training.loader(rank=rank, world_size=2)))
    counter = counted_step(module, batch, model.width)

    learnt = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
    forth, back = gathered(len(batch.samples), batch.grades.numel(), model.width, 2)
    if rank == 0:
        rows = [
            ["gradients, summed over both", f"{learnt * FULL:,}", f"{counter.buckets:,}"],
            ["vectors for in-batch negatives", f"{forth:,}", f"{counter.vectors:,}"],
            ["their gradients", f"{back:,}", f"{counter.back:,}"],
        ]
        print(table(["bytes that each process brings", "predicted", "counted"], rows))
    dist.destroy_process_group()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=132, help="of a pair")
    parser.add_argument("--pairs", type=int, default=64, help="a step: of one GPU, of all and of each")
    parser.add_argument("--measure", action="store_true", help="count what two processes send")
    given = parser.parse_args()
    if given.measure:
        with tempfile.TemporaryDirectory() as folder:
            TinyEncoder().prepare(build_demo(), "train", Path(folder) / "encoder", seed=1)
            start_processes(_measured, (folder,), nprocs=2, start_method="spawn")  # type: ignore[no-untyped-call]
        return

    # What does not depend on the number of GPUs, and the memory of each of several.
    head = ["encoder", "parameters, M", "in embeddings, M", "GFLOP a pair scored", "trained", "ms a step, 1 GPU"]
    head += ["GB a GPU, DDP", "FSDP2 on 8", "on 64", "FSDP2 sends on 8, MB"]
    rows = []
    for size in ENCODERS:
        once = size.operations(given.tokens)
        numbers = [size.parameters / 1e6, size.embeddings / 1e6, once / 1e9, 3 * once / 1e9]
        numbers.append(3 * once * given.pairs / Machine.operations * 1e3)
        numbers += [memory(size, given.pairs * given.tokens, gpus) / 1e9 for gpus in (1, 8, 64)]
        rows.append([size.name, *(f"{number:.1f}" for number in numbers), f"{sharded(size, 8) / 1e6:,.0f}"])
    print(table(head, rows), end="\n\n")

    # What several send each other.
    head = ["encoder", "GPUs", "sent a GPU, MB", "sending, ms", f"computing, ms, {given.pairs} pairs in all"]
    head += ["efficiency", f"efficiency, {given.pairs} pairs each"]
    choices = [(size, frozen) for size in ENCODERS for frozen in (False, True)]
    lines = [sending(size, given.pairs, given.tokens, frozen=frozen) for size, frozen in choices]
    print(table(head, [line for each in lines for line in each]))


if __name__ == "__main__":
    main()
