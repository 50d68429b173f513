"""Which loss trains which architecture: the whole table, and each loss that is let through computed for real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from torch import nn

from clir_lightning.build import build, outline
from clir_lightning.configuration import config_folder
from clir_lightning.data.batches.kinds import TextBatches
from clir_lightning.data.batches.pairs import Step
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import Listwise
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.errors import ConfigError
from clir_lightning.jobs import train
from clir_lightning.lightning.text_module import DualModule
from clir_lightning.losses.contrastive import CosineHinge, InfoNCE
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.losses.needs import check_losses
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.late import LateInteraction
from clir_lightning.models.tiny import TinyEncoder

CONF = config_folder()
PAIRS = {"cross", "cedr"}
ARCHITECTURES = {*PAIRS, "late", "dual", "dual_dot"}
# Any loss over a query's own scores trains anything; these four need more.
ONLY = {
    "infonce": {"late", "dual", "dual_dot"},
    "cosent": {"late", "dual", "dual_dot"},
    "cosine_hinge": {"dual"},
    "triplet": {"dual"},
    "alignment_uniformity": {"dual"},
}
FIXED = {"cosine_hinge", "triplet", "alignment_uniformity"}  # read no temperature


def loss_of(name: str) -> RankingLoss:
    file = OmegaConf.load(CONF / "loss" / f"{name}.yaml")
    assert isinstance(file, DictConfig)
    node = file[name]
    if OmegaConf.is_missing(node, "teacher"):
        node.teacher = "not read"
    made: RankingLoss = build(node)
    return made


def outputs_of(name: str) -> frozenset[str]:
    """What `architecture=NAME` gives to losses, by its file alone."""
    node = OmegaConf.load(CONF / "architecture" / f"{name.removesuffix('_dot')}.yaml")
    assert isinstance(node, DictConfig)
    node = node.get("architecture", node)
    target = OmegaConf.create({"_target_": node["_target_"]})
    if name.endswith("_dot"):
        target.similarity = "dot"
    made, settings = outline(target)
    given: frozenset[str] = made.outputs(**settings)
    return given


LOSSES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))


def test_the_table_has_every_architecture_there_is() -> None:
    assert {path.stem for path in (CONF / "architecture").glob("*.yaml")} | {"dual_dot"} == ARCHITECTURES


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_let_through_where_the_architecture_gives_what_it_needs(loss: str, architecture: str) -> None:
    losses, outputs = {"first": loss_of("ranknet"), loss: loss_of(loss)}, outputs_of(architecture)
    if architecture in ONLY.get(loss, ARCHITECTURES):
        check_losses(losses, outputs, learn_temperature=False)
    else:
        with pytest.raises(ConfigError, match=rf"^loss {loss} needs .*; use architecture=dual.*, or leave {loss} out"):
            check_losses(losses, outputs, learn_temperature=False)


@pytest.mark.parametrize(
    ("loss", "architecture", "told"),
    [
        ("infonce", "cross", "needs the similarities of all texts of a step, .*; use architecture=dual or archi"),
        ("alignment_uniformity", "late", "needs one vector per text, .*; use architecture=dual, or leave"),
        ("triplet", "dual_dot", "needs similarities that are cosines, .*; use architecture=dual with .*ity=cosine"),
    ],
)
def test_what_is_missing_is_named_with_the_cure(loss: str, architecture: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_losses({loss: loss_of(loss)}, outputs_of(architecture), learn_temperature=False)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_learnt_temperature_needs_a_loss_that_reads_it(loss: str) -> None:
    losses = {loss: loss_of(loss)}
    if loss in FIXED:
        told = f"architecture.learn_temperature is true, but loss {loss} does not read the temperature; set it to false"
        with pytest.raises(ConfigError, match=told):
            check_losses(losses, outputs_of("dual"), learn_temperature=True)
    else:
        check_losses(losses, outputs_of("dual"), learn_temperature=True)


def test_one_loss_that_reads_the_temperature_is_enough() -> None:
    check_losses({"a": CosineHinge(), "b": InfoNCE()}, outputs_of("dual"), learn_temperature=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, TextBatch]:
    demo = build_demo()
    folder = TinyEncoder(vocabulary=300, width=16, heads=2).prepare(demo, "train", tmp_path_factory.mktemp("e"), seed=3)
    encoder = Encoder(folder)
    data = RankingDataModule(demo, TextBatches(query_length=20), sampling=Listwise(3))
    data.tokenise(encoder.tokenizer)
    return encoder, data.training.dataset[Step(data.training.samples(0)[:4])]


@pytest.mark.parametrize(
    ("loss", "architecture"),
    [
        (loss, architecture)
        for loss in LOSSES
        for architecture in sorted(ARCHITECTURES - PAIRS)
        if architecture in ONLY.get(loss, ARCHITECTURES) and loss not in ("kl", "margin_mse")  # these read a file
    ],
)
def test_what_is_let_through_trains_the_encoder_and_the_temperature_if_it_reads_it(
    loss: str, architecture: str, made: tuple[Encoder, TextBatch]
) -> None:
    encoder, batch = made
    model: nn.Module
    if architecture == "late":
        model = LateInteraction(encoder, dimension=8, temperature=0.5, learn_temperature=True)
    else:
        similarity = "dot" if architecture == "dual_dot" else "cosine"
        model = DualEncoder(encoder, similarity=similarity, learn_temperature=True)
    model.zero_grad()
    module = DualModule(model, {loss: loss_of(loss)})
    module.log = module.log_dict = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    value: Any = module.training_step(batch, 0)
    value.backward()
    moved = encoder.get_parameter("model.encoder.layer.0.attention.self.value.weight").grad
    assert torch.isfinite(value)
    assert moved is not None
    assert moved.abs().sum() > 0
    assert (model.get_parameter("temperature.log_scale").grad is not None) == (loss not in FIXED)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["architecture=late", "loss=[infonce,alignment_uniformity]"], "loss alignment_uniformity needs one vector"),
        (["architecture=cross", "loss=[infonce]"], "loss infonce needs the similarities of all texts of a step"),
        (["architecture=dual", "loss=[triplet]", "architecture.learn_temperature=true"], "learn_temperature is true"),
        (["trainer.precision=bf16-true"], "trainer.precision is 'bf16-true'; allowed: 32-true"),
    ],
)
def test_training_is_rejected_before_the_data_is_read(
    overrides: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["data=folder", f"data.path={tmp_path}/nowhere", *overrides])
    monkeypatch.setattr(train, "_data", lambda _: pytest.fail("the data was read"))
    with pytest.raises(ConfigError, match=re.escape(told)):
        train._train(config, tmp_path, None)  # type: ignore[arg-type]
