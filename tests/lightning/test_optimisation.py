"""Learning rates by layer and by step, worked out by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.optimisation import Optimisation
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from models.families import write


@pytest.fixture
def model(collection: Collection, tmp_path: Path) -> CrossEncoder:
    tiny = TinyEncoder(vocabulary=120, width=16, heads=2, layers=2)
    return CrossEncoder(Encoder(tiny.prepare(collection, "train", tmp_path, seed=3)))


def test_each_layer_below_learns_slower_and_the_head_at_its_own_rate(model: CrossEncoder) -> None:
    groups = Optimisation(learning_rate=1.0, head_learning_rate=7.0, layer_decay=0.5, weight_decay=0.1).groups(model)
    rate = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    names = dict(model.named_parameters())
    assert len(rate) == len(names) == sum(len(group["params"]) for group in groups)
    assert rate[id(names["encoder.model.embeddings.word_embeddings.weight"])] == (0.25, 0.1)
    assert rate[id(names["encoder.model.encoder.layer.0.attention.self.query.weight"])] == (0.5, 0.1)
    assert rate[id(names["encoder.model.encoder.layer.1.attention.self.query.bias"])] == (1.0, 0.0)
    assert rate[id(names["head.1.weight"])] == (7.0, 0.1)
    assert rate[id(names["head.4.bias"])] == (7.0, 0.0)


def test_a_norm_behind_the_last_layer_learns_as_fast_as_that(tmp_path: Path) -> None:
    """ModernBERT's, at the rate of layer 3 of 3; its embeddings three layers below."""
    model = CrossEncoder(Encoder(str(write("modernbert", tmp_path))))
    groups = Optimisation(learning_rate=1.0, head_learning_rate=7.0, layer_decay=0.5).groups(model)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert rate[id(model.get_parameter("encoder.model.final_norm.weight"))] == 1.0
    assert rate[id(model.get_parameter("encoder.model.layers.1.mlp.Wi.weight"))] == 0.5
    assert rate[id(model.get_parameter("encoder.model.embeddings.norm.weight"))] == 0.125


def test_without_settings_all_learn_alike(model: CrossEncoder) -> None:
    groups = Optimisation(learning_rate=0.3, weight_decay=0.1).groups(model)
    assert sorted((group["lr"], group["weight_decay"]) for group in groups) == [(0.3, 0.0), (0.3, 0.1)]


def test_a_decay_that_cannot_be_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"optimizer.layer_decay is 0; allowed: above 0, at most 1"):
        Optimisation(layer_decay=0)


def rates(**settings: Any) -> list[float]:
    """The learning rate of each of a hundred steps."""
    optimizer, scheduler = Optimisation(**settings).start(nn.Linear(2, 2), 100)
    seen = []
    for _ in range(100):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_the_rate_rises_and_falls_linearly() -> None:
    seen = rates(learning_rate=1.0, warmup=0.2)
    assert seen[0] == 0.0
    assert seen[10] == pytest.approx(0.5)
    assert seen[20] == pytest.approx(1.0)
    assert seen[60] == pytest.approx(0.5)


def test_constant_schedule_stays() -> None:
    assert rates(learning_rate=1.0, warmup=0.0, schedule="constant")[99] == 1.0


def test_biases_are_not_decayed() -> None:
    groups = Optimisation(weight_decay=0.3).start(nn.Linear(2, 2), 100)[0].param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.3), (1, 0.0)]


def steps_of(optimizer: torch.optim.Optimizer, weight: Tensor) -> Tensor:
    """The weight after 20 steps with random gradients, of a size that varies by three orders."""
    generator = torch.Generator().manual_seed(1)
    for step in range(20):
        weight.grad = torch.randn(weight.shape, generator=generator) * 10.0 ** -(step % 4)
        optimizer.step()
    return weight.detach()


def test_the_optimiser_is_fused_and_agrees_with_the_plain_one() -> None:
    """Both within 1e-6, after steps that move the weights by .2."""
    torch.manual_seed(2)
    fused, plain = nn.Linear(40, 50, bias=False), nn.Linear(40, 50, bias=False)
    plain.load_state_dict(fused.state_dict())
    start = fused.weight.detach().clone()
    settings = Optimisation(learning_rate=1e-2, weight_decay=0.1, warmup=0.0, schedule="constant")
    optimizer, _ = settings.start(fused, 20)
    assert optimizer.param_groups[0]["fused"]
    moved = steps_of(optimizer, fused.weight)
    expected = steps_of(torch.optim.AdamW(plain.parameters(), lr=1e-2, weight_decay=0.1, foreach=False), plain.weight)
    assert (moved - start).abs().max() > 0.1
    assert torch.allclose(moved, expected, rtol=0, atol=1e-6)


def test_on_a_device_without_a_fused_kernel_it_is_the_plain_one() -> None:
    assert not Optimisation().start(nn.Linear(2, 2, device="meta"), 10)[0].param_groups[0]["fused"]


class Clipped(pl.LightningModule):
    """A linear model, whose gradients of 100 are clipped."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1, bias=False)

    def training_step(self, batch: Tensor) -> Tensor:
        loss: Tensor = self.linear(batch).sum() * 100
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return Optimisation().start(self, 2)[0]


def test_gradients_are_clipped_in_half_precision_too(tmp_path: Path) -> None:
    """Lightning refuses to, of an optimiser that says it undoes a scaling itself."""
    trainer = pl.Trainer(
        max_steps=1,
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    model = Clipped()
    rows: Any = torch.ones(4, 2)
    trainer.fit(model, torch.utils.data.DataLoader(rows))
    assert model.linear.weight.grad is not None
    assert model.linear.weight.grad.norm().item() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_fading_moments_end_at_zero() -> None:
    """In a process of its own, with two threads, which take the setting over."""
    code = """
import torch
from clir_lightning.lightning.optimisation import Optimisation, flush_denormals
flush_denormals()
torch.set_num_threads(2)
model = torch.nn.Linear(1000, 1000, bias=False)
optimizer, _ = Optimisation().start(model, 1)
model.weight.grad = torch.full((1000, 1000), 1e-37)
optimizer.step()
model.weight.grad.zero_()
for _ in range(3):
    optimizer.step()
print(int((optimizer.state[model.weight]["exp_avg"].numpy().view("int32") != 0).sum()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
