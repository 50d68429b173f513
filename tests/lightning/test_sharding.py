"""Sharded weights: processes with unequal shares of a step make equally many passes, and end with equal gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from clir_lightning.lightning.sharding import equally_often, hold_whole, shard
from clir_lightning.losses.contrastive import InfoNCE
from clir_lightning.losses.listwise import ListNet
from lightning.shares_for_tests import ARCHITECTURES, keep_logs, module, prepared, steps, together

# Ways to cut a step up, by the architectures that have them; unequal shares make unequal numbers of parts.
CUTS: dict[str, list[dict[str, Any]]] = {
    "dual": [{"parts": 3}, {"chunk": 2}],
    "late": [{"parts": 3}, {"chunk": 2}],
    "cross": [{"parts": 4}],
}


def in_half_precision(rank: int, world: int, folder: Path) -> dict[str, Any]:
    """Gradients of the first step in bfloat16, and what the weights are kept and computed in; alone in 32 bits."""
    made = module("dual", str(folder / "encoder"), {"loss": InfoNCE()}, parts=2)
    keep_logs(made)
    if world > 1:
        shard(made.model, init_device_mesh("cpu", (world,)), torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=world > 1):
        torch.autograd.backward(made.training_step(steps("dual", str(folder / "encoder"), rank, world)[0], 0))
    weights = dict(made.model.named_parameters())
    gradients = {name: weight.grad for name, weight in weights.items() if weight.grad is not None}
    kept = {name: weight.dtype for name, weight in weights.items()}
    hold_whole(made.model)
    whole = {name: weight.dtype for name, weight in made.model.named_parameters()}
    full = [gradient.full_tensor() if isinstance(gradient, DTensor) else gradient for gradient in gradients.values()]
    return {"gradient": torch.cat([gradient.flatten() for gradient in full]), "kept": kept, "whole": whole}


def test_layers_are_sent_and_computed_in_half_precision_and_learnt_in_32_bits(tmp_path: Path) -> None:
    """bfloat16 has 2^-9 of rounding a number: the gradients of two layers come within 3 % of those in 32 bits."""
    prepared(tmp_path)
    alone = in_half_precision(0, 1, tmp_path)["gradient"]
    for shared in together(in_half_precision, 2, tmp_path):
        assert 1e-4 < float((shared["gradient"] - alone).norm() / alone.norm()) < 0.03
        assert set(shared["kept"].values()) == {shared["gradient"].dtype} == {torch.float32}
        for name, dtype in shared["whole"].items():
            half = ".layer." in name or "word_embeddings" in name
            assert dtype == (torch.bfloat16 if half else torch.float32), name


def measure(rank: int, world: int, folder: Path) -> dict[str, dict[str, Tensor]]:
    """The gradients of the two steps, by architecture and cut and by weight; alone without any cut."""
    found: dict[str, dict[str, Tensor]] = {}
    for architecture in ARCHITECTURES:
        batches = steps(architecture, str(folder / "encoder"), rank, world)
        for cut in CUTS[architecture]:
            loss = ListNet() if architecture == "cross" else InfoNCE(symmetric=True)
            made = module(architecture, str(folder / "encoder"), {"loss": loss}, **(cut if world > 1 else {"parts": 1}))
            keep_logs(made)
            if world > 1:
                shard(made.model, init_device_mesh("cpu", (world,)))
            for number, batch in enumerate(batches):
                torch.autograd.backward(made.training_step(batch, number))
            found[f"{architecture}, {cut}"] = {
                name: weight.grad.full_tensor() if isinstance(weight.grad, DTensor) else weight.grad
                for name, weight in made.model.named_parameters()
                if weight.grad is not None
            }
    return found


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_processes_with_unlike_numbers_of_queries_do_not_wait_for_ever(world: int, tmp_path: Path) -> None:
    """Steps of 3 and 2 queries and of 1 and 1, or of 2, 2 and 1 and of 1, 1 and none."""
    prepared(tmp_path)
    alone, everyone = measure(0, 1, tmp_path), together(measure, world, tmp_path)
    for name, gradients in alone.items():
        assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 1e-4
        for shared in everyone:
            assert shared[name].keys() == gradients.keys()
            for weight, gradient in gradients.items():
                assert torch.allclose(shared[name][weight], gradient, atol=1e-5, rtol=1e-3), (name, weight)


def cut(rank: int, world: int, folder: Path) -> list[list[int]]:
    places = np.arange([5, 1][rank])
    return [part.tolist() for part in equally_often(places, 2)]


def test_the_last_place_is_repeated_for_parts_that_a_process_lacks(tmp_path: Path) -> None:
    assert [part.tolist() for part in equally_often(np.array([2, 0, 1]), 2)] == [[2, 0], [1]]
    assert together(cut, 2, tmp_path) == [[[0, 1], [2, 3], [4]], [[0], [0], [0]]]
