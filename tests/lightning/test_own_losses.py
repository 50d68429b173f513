"""Losses of a model's own beside the ranking losses: in parts, over processes, in what is logged and minimised."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.lightning.pair_module import PairModule
from clir_lightning.losses.alignment import EntityAlignment
from clir_lightning.losses.listwise import ListNet
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.graph import GraphRanker
from host_reads import HostReads
from lightning.shares_for_tests import keep_logs, prepared, steps, together
from models.graphs_for_tests import knowledge
from models.test_graph import DOCUMENT, QUERY

LINKED = {"q0": 0, "q1": 1, "q2": 2}  # the first of two processes has all of them, the other knows nothing


def known(batch: PairBatch) -> PairBatch:
    """The batch with what a graph knows of it: nothing at all where none of its queries is linked."""
    rows = [LINKED.get(sample.query_id, -1) for sample in batch.samples for _ in sample.document_ids]
    around = [QUERY, DOCUMENT, [(5, 0, 10, 11), (6, 3, 8, 9)]] if max(rows) >= 0 else []
    pairs = [(row, 1 if row >= 0 and place % 3 == 0 else -1) for place, row in enumerate(rows)]
    return replace(batch, knowledge=knowledge(around, pairs, size=3))


def module(folder: Path, weight: float = 0.5, parts: int = 1) -> PairModule:
    torch.manual_seed(0)
    model = GraphRanker(
        Encoder(str(folder / "encoder")),
        partial(CrossEncoder, dropout=0.0),
        layer="rgcn",
        width=8,
        relations=3,
        alignment=EntityAlignment(weight=weight),
        dropout=0.0,
    )
    torch.nn.init.normal_(model.out.weight)  # it starts at 0
    return PairModule(model, {"list": ListNet()}, parts=parts)


def test_it_is_added_to_the_loss_and_logged_under_its_name(tmp_path: Path) -> None:
    prepared(tmp_path)
    batch = known(steps("cross", str(tmp_path / "encoder"), 0, 1)[0])
    values = {}
    for weight in (0.0, 0.5, 1.0):
        made = module(tmp_path, weight)
        logged = keep_logs(made)
        value = made.training_step(batch, 0).item()
        values[weight] = {**{name: found for name, found, _ in logged}, "value": value}
    assert set(values[0.0]) == {"train/loss", "value"}  # of one loss alone its name says nothing
    alignment = values[1.0]["train/alignment"]
    assert alignment > 0
    assert values[0.5]["train/alignment"] == pytest.approx(alignment / 2, rel=1e-5)
    assert values[1.0]["train/list"] == pytest.approx(values[0.0]["train/loss"], rel=1e-5)
    assert values[1.0]["train/loss"] == pytest.approx(values[1.0]["train/list"] + alignment, rel=1e-5)

    # The step's weights are those of its queries; their mean is not 1 here.
    shares = sum(batch.weights) / len(batch.weights)
    assert values[1.0]["value"] - values[0.0]["value"] == pytest.approx(alignment * shares, rel=1e-4)


class Step(nn.Module):
    """A module's step as its forward pass, as Lightning has it under DistributedDataParallel."""

    def __init__(self, made: PairModule) -> None:
        super().__init__()
        self.made = made

    def forward(self, batch: PairBatch, number: int) -> Tensor:
        return self.made.training_step(batch, number)


def measure(rank: int, world: int, folder: Path, parts: int = 1) -> Any:
    """What is logged in two steps, and the gradients of each; processes that lack a weight's would wait for ever."""
    made = module(folder, parts=parts)
    logged = keep_logs(made)
    step: Any = DistributedDataParallel(Step(made)) if world > 1 else Step(made)
    gradients = []
    for number, batch in enumerate(steps("cross", str(folder / "encoder"), rank, world)):
        made.zero_grad()
        torch.autograd.backward(step(known(batch), number))
        grads = {name: weight.grad for name, weight in made.named_parameters()}
        gradients.append({name: grad.clone() for name, grad in grads.items() if grad is not None})
    return logged, gradients


def check(found: Any, expected: Any) -> None:
    assert [name for name, _, _ in found[0]] == [name for name, _, _ in expected[0]]
    assert [value for _, value, _ in found[0]] == pytest.approx([value for _, value, _ in expected[0]], rel=1e-4)
    for mine, theirs in zip(found[1], expected[1], strict=True):
        assert mine.keys() == theirs.keys()
        for name, gradient in theirs.items():
            assert torch.allclose(mine[name], gradient, atol=1e-5, rtol=1e-3), name


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_change_neither_loss_nor_gradients(parts: int, tmp_path: Path) -> None:
    prepared(tmp_path)
    alone = measure(0, 1, tmp_path)
    assert {name for name, _, _ in alone[0]} == {"train/list", "train/alignment", "train/loss"}
    assert all(len(gradients) == len(list(module(tmp_path).parameters())) for gradients in alone[1])
    check(measure(0, 1, tmp_path, parts), alone)


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_processes_of_which_some_know_nothing_change_neither(world: int, tmp_path: Path) -> None:
    prepared(tmp_path)
    alone = measure(0, 1, tmp_path)
    for found in together(measure, world, tmp_path):
        check(found, alone)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_step_reads_no_number_from_the_device(parts: int, tmp_path: Path) -> None:
    prepared(tmp_path)
    made = module(tmp_path, parts=parts)
    made.log = made.log_dict = lambda *args, **settings: None  # type: ignore[method-assign, assignment]
    batch = known(steps("cross", str(tmp_path / "encoder"), 0, 1)[0])
    reads = HostReads()
    reads.at = 0
    with reads.watch():
        torch.autograd.backward(made.training_step(batch, 0))
    assert reads.found == []
