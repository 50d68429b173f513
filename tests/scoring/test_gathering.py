"""The number of processes changes no loss, no gradient and nothing that is logged, whatever each one's share is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed
from torch import Tensor, nn

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.lightning.callbacks.collapse_alarm import CollapseAlarm
from clir_lightning.lightning.callbacks.throughput import Throughput
from clir_lightning.losses import contrastive, distillation, listwise, pairwise, pointwise
from clir_lightning.losses.distillation import Distillation
from clir_lightning.losses.loss import RankingLoss, ScoreLoss, VectorLoss
from clir_lightning.scoring import gathering
from clir_lightning.scoring.gathering import gather_rows, gather_vectors, own_queries
from clir_lightning.scoring.vectors import TextVectors
from clir_lightning.types import Sample
from lightning.shares_for_tests import ARCHITECTURES, keep_logs, module, prepared, steps, together

BASES = (RankingLoss, ScoreLoss, VectorLoss, Distillation)
VARIANTS: dict[str, Callable[[], RankingLoss]] = {
    "InfoNCE symmetric": lambda: contrastive.InfoNCE(symmetric=True, weight=0.5),
    "InfoNCE of own documents": lambda: contrastive.InfoNCE(in_batch=False),
    "LambdaLoss++": lambda: listwise.LambdaLoss(mu=10.0),
}


def losses_for(architecture: str) -> dict[str, RankingLoss]:
    """Every loss of the project that the architecture can be trained with, by name."""
    found: dict[str, RankingLoss] = {}
    for room in (contrastive, distillation, listwise, pairwise, pointwise):
        for name, kind in vars(room).items():
            if isinstance(kind, type) and issubclass(kind, RankingLoss) and kind not in BASES:
                found[name] = kind()
    found |= {name: make() for name, make in VARIANTS.items()}
    if architecture == "cross":
        return {name: loss for name, loss in found.items() if not isinstance(loss, VectorLoss)}
    if architecture == "late":
        del found["AlignmentUniformity"]  # wants one vector a text
    return found


Measured = dict[str, tuple[list[float], list[tuple[str, float, int]], Tensor]]


def measure(rank: int, world: int, folder: Path) -> Measured:
    """Of each architecture and loss: what two steps minimise, what they log, and their gradients."""
    found: Measured = {}
    for architecture in ARCHITECTURES:
        batches = steps(architecture, str(folder / "encoder"), rank, world)
        made = module(architecture, str(folder / "encoder"), {})
        for name, loss in losses_for(architecture).items():
            made.losses = nn.ModuleDict({"one": loss, "other": pairwise.RankNet()})  # type: ignore[assignment]
            made.zero_grad()
            logged = keep_logs(made)
            values = [made.training_step(batch, number) for number, batch in enumerate(batches)]
            torch.autograd.backward(torch.stack(values).sum())
            weights = list(made.model.parameters())
            gradient = torch.cat([(w.new_zeros(w.shape) if w.grad is None else w.grad).flatten() for w in weights])
            minimised = torch.stack(values).detach()
            if world > 1:  # the average that DistributedDataParallel takes
                for mine in (gradient, minimised):
                    torch.distributed.all_reduce(mine)
                    mine /= world
            found[f"{architecture}, {name}"] = (minimised.tolist(), logged, gradient)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shares")
    prepared(folder)
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path) -> Measured:
    return measure(0, 1, folder)


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_the_number_of_processes_changes_no_loss_and_no_gradient(world: int, folder: Path, alone: Measured) -> None:
    everyone = together(measure, world, folder)
    wrong = []
    for name, (minimised, logged, gradient) in alone.items():
        assert float(gradient.abs().max()) > 1e-4, name
        size = max(1.0, float(gradient.abs().max()))
        for rank, shared in enumerate(everyone):
            others, seen, theirs = shared[name]
            if others != pytest.approx(minimised, rel=1e-4):
                wrong.append(f"{name}: loss {others} in process {rank}, {minimised} alone")
            if float((theirs - gradient).abs().max()) > 1e-4 * size:
                wrong.append(f"{name}: gradients in process {rank}")
            same_names = [(key, count) for key, _, count in seen] == [(key, count) for key, _, count in logged]
            if not same_names or [value for _, value, _ in seen] != pytest.approx(
                [value for _, value, _ in logged], rel=1e-4
            ):
                wrong.append(f"{name}: logged {seen} in process {rank}, {logged} alone")
    assert not wrong, "\n".join(wrong)


class Callbacks:
    """What a module is asked for by callbacks of a training, and what they log."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.logged: dict[str, float] = {}
        self.step_scores: Tensor | None = None

    def log(self, name: str, value: float, **_: Any) -> None:
        self.logged[name] = value


def watch(rank: int, world: int, folder: Path) -> dict[str, float]:
    """Process 0 has two queries, process 1 a third; process 2 stands in with the first."""
    scores = [[[2.0, 1.0], [0.0, 4.0]], [[9.0, 3.0]], [[2.0, 1.0]]][rank]
    samples = tuple(Sample("q", ("a", "b"), (1, 0)) for _ in scores)
    weights = (0.0,) if rank == 2 else (1.0,) * len(scores)
    rows = torch.zeros(2 * len(scores), 5, dtype=torch.long)
    batch = PairBatch(
        rows, rows, None, torch.tensor([[1.0, 0.0]] * len(scores)), samples, weights, (1, 2) * len(scores)
    )
    module: Any = Callbacks()
    module.step_scores = torch.tensor(scores)[: own_queries(batch)]
    trainer: Any = SimpleNamespace(global_step=10, is_global_zero=rank == 0)
    throughput = Throughput()
    throughput.on_train_epoch_start(trainer, module)
    throughput.on_train_batch_end(trainer, module, None, batch, 0)
    throughput.seconds = 2.0
    throughput.on_train_epoch_end(trainer, module)
    CollapseAlarm().on_train_batch_end(trainer, module, None, batch, 0)
    logged: dict[str, float] = module.logged
    return logged


def test_what_callbacks_log_of_a_step_is_of_all_processes(tmp_path: Path) -> None:
    """Three queries, thirty cells with nine tokens; deviations .5, 2 and 3, gaps 1, −4 and 6."""
    expected = {
        "train/padding": pytest.approx(1 - 9 / 30),
        "train/tokens_per_second": pytest.approx(9 / 2),
        "train/queries_per_second": pytest.approx(3 / 2),
        "train/score_deviation": pytest.approx((0.5 + 2 + 3) / 3),
        "train/ordered": pytest.approx(2 / 3),
        "train/gap": pytest.approx((1 - 4 + 6) / 3),
    }
    assert together(watch, 3, tmp_path) == [expected] * 3


def rows_of(rank: int, world: int, folder: Path) -> tuple[list[list[float]], slice, list[list[float]]]:
    """One row of one number, two of two, and none; process i takes i + 1 times the sum of all as its loss."""
    mine = [torch.tensor([[1.0]]), torch.tensor([[2.0, 3.0], [4.0, 5.0]]), torch.zeros(0, 2)][rank].requires_grad_()
    rows, place = gather_rows(mine, fill=-1)
    torch.autograd.backward(rows.sum() * (rank + 1))
    assert mine.grad is not None
    return rows.tolist(), place, mine.grad.tolist()


def test_rows_of_all_processes_have_no_padding_and_their_gradients_come_back(tmp_path: Path) -> None:
    found = together(rows_of, 3, tmp_path)
    assert [rows for rows, _, _ in found] == [[[1, -1], [2, 3], [4, 5]]] * 3
    assert [place for _, place, _ in found] == [slice(0, 1), slice(1, 3), slice(3, 3)]
    assert [gradient for _, _, gradient in found] == [[[6.0]], [[6.0, 6.0], [6.0, 6.0]], []]  # 1 + 2 + 3
    alone = torch.ones(2, 1, requires_grad=True)
    assert gather_rows(alone) == (alone, slice(0, 2))


def ragged(rank: int, world: int, folder: Path) -> list[dict[int, list[list[float]]]]:
    """Vectors of each token, and of each text, that all processes bring: seven, none and one, in blocks of two."""
    gathering.BLOCK = 2
    own = [{4: [[1.0, 2.0]] * 4, 9: [[3.0, 4.0]], 2: [[5.0, 6.0], [7.0, 8.0]]}, {}, {7: [[9.0, 0.5]]}][rank]
    tokens, texts = TextVectors(), TextVectors()
    for row, vectors in own.items():
        tokens.add([row], torch.tensor(vectors), torch.tensor([len(vectors)]))
        texts.add([row], torch.tensor(vectors[-1:]))
    found = []
    for mine in (tokens, texts):
        gathered = gather_vectors(mine, torch.device("cpu"))
        found.append({row: vectors.tolist() for row, vectors in gathered.items()})
    assert gather_vectors(TextVectors(), torch.device("cpu")) == {}  # nobody has any
    return found


def test_vectors_of_unlike_numbers_of_texts_are_put_together(tmp_path: Path) -> None:
    tokens = {4: [[1.0, 2.0]] * 4, 9: [[3.0, 4.0]], 2: [[5.0, 6.0], [7.0, 8.0]], 7: [[9.0, 0.5]]}
    texts = {4: [1.0, 2.0], 9: [3.0, 4.0], 2: [7.0, 8.0], 7: [9.0, 0.5]}
    everyone = together(ragged, 3, tmp_path)
    assert everyone == [[tokens, texts]] * 3
    assert [list(found[0]) for found in everyone] == [[4, 9, 2, 7]] * 3  # in the order of the processes
