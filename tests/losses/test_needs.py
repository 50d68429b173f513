"""Which loss trains which architecture: the whole table, and each loss that is let through computed for real."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
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
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.jobs import assembly, train
from clir_lightning.lightning.text_module import TextModule
from clir_lightning.losses.contrastive import CosineHinge, InfoNCE
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.losses.needs import check_samples, check_settings
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.late import LateInteraction
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Sample

CONF = config_folder()
PAIRS = {"cross", "cedr", "hike", "graph"}
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
TAUGHT = {"kl", "margin_mse"}  # read a teacher's scores


def loss_of(name: str) -> RankingLoss:
    file = OmegaConf.load(CONF / "loss" / f"{name}.yaml")
    assert isinstance(file, DictConfig)
    node = file[name]
    made: RankingLoss = build(node)
    return made


def teacher_for(loss: str) -> str | None:
    return "teacher.trec" if loss in TAUGHT else None


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
        check_settings(losses, outputs, teacher=teacher_for(loss))
    else:
        with pytest.raises(ConfigError, match=rf"^loss {loss} needs .*; use architecture=dual.*, or leave {loss} out"):
            check_settings(losses, outputs)


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
        check_settings({loss: loss_of(loss)}, outputs_of(architecture))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_learnt_temperature_needs_a_loss_that_reads_it(loss: str) -> None:
    losses = {loss: loss_of(loss)}
    if loss in FIXED:
        told = f"architecture.learn_temperature is true, but loss {loss} does not read the temperature; set it to false"
        with pytest.raises(ConfigError, match=told):
            check_settings(losses, outputs_of("dual"), learn_temperature=True)
    else:
        check_settings(losses, outputs_of("dual"), learn_temperature=True, teacher=teacher_for(loss))


def test_one_loss_that_reads_the_temperature_is_enough() -> None:
    check_settings({"a": CosineHinge(), "b": InfoNCE()}, outputs_of("dual"), learn_temperature=True)


@pytest.mark.parametrize("loss", sorted(TAUGHT))
def test_a_loss_that_needs_a_teacher_is_rejected_without_one(loss: str) -> None:
    losses = {"first": loss_of("ranknet"), loss: loss_of(loss)}
    told = (
        rf"^loss {loss} needs a teacher's scores, got teacher=null; give teacher=FILE, .* clir evaluate model=TEACHER"
    )
    for outputs in (outputs_of("cross"), None):  # None: an architecture from elsewhere that does not tell
        with pytest.raises(ConfigError, match=told):
            check_settings(losses, outputs)
        check_settings(losses, outputs, teacher="t.trec")


def test_a_teacher_that_no_loss_reads_is_rejected() -> None:
    told = r"^teacher is 't.trec', but loss ranknet, bce does not read a teacher's scores; leave it out, or add .* kl"
    with pytest.raises(ConfigError, match=told):
        check_settings({"ranknet": loss_of("ranknet"), "bce": loss_of("bce")}, None, teacher="t.trec")


def test_an_unknown_need_is_answered_with_the_nearest_one() -> None:
    loss = loss_of("ranknet")
    loss.needs = ("scores", "list")
    with pytest.raises(ConfigError, match=r"a need of loss mine is 'list'; allowed: scores, .*did you mean 'lists'"):
        check_samples({"mine": loss}, [])


def test_a_teachers_scores_are_checked_for_every_epoch_and_other_losses_for_the_first() -> None:
    epochs: list[int] = []

    def samples(epoch: int) -> list[Sample]:
        epochs.append(epoch)
        if epoch == 2:
            raise DataError("no score of document 'c'")
        return [Sample("q", ("a", "b"), (6, 0), teacher=(1.0, 0.0))]

    data: Any = SimpleNamespace(training=SimpleNamespace(samples=samples))
    config = OmegaConf.create({"teacher": "t.trec", "trainer": {"max_epochs": 2}})
    assembly.check_drawn(config, {"kl": loss_of("kl")}, data)
    assert epochs == [0, 1]
    config.trainer.max_epochs = 3
    with pytest.raises(DataError, match="no score of document 'c'"):
        assembly.check_drawn(config, {"kl": loss_of("kl")}, data)
    epochs.clear()
    config.teacher = None
    assembly.check_drawn(config, {"ranknet": loss_of("ranknet")}, data)
    assert epochs == [0]
    data.training.samples = lambda _: [Sample("q", ("a",), (6,))]
    with pytest.raises(ConfigError, match="loss ranknet needs 2 or more documents per query, got 1"):
        assembly.check_drawn(config, {"ranknet": loss_of("ranknet")}, data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, TextBatch]:
    demo = build_demo()
    folder = TinyEncoder(vocabulary=300, width=16, heads=2).prepare(demo, "train", tmp_path_factory.mktemp("e"), seed=3)
    encoder = Encoder(folder)
    data = RankingDataModule(demo, TextBatches(query_length=20), sampling=Listwise(3))
    data.tokenise(encoder.tokenizer)
    samples = [replace(sample, teacher=(2.0, 0.5, 1.0)) for sample in data.training.samples(0)[:4]]
    return encoder, data.training.dataset[Step(samples)]


@pytest.mark.parametrize(
    ("loss", "architecture"),
    [
        (loss, architecture)
        for loss in LOSSES
        for architecture in sorted(ARCHITECTURES - PAIRS)
        if architecture in ONLY.get(loss, ARCHITECTURES)
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
    module = TextModule(model, {loss: loss_of(loss)})
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
        (["loss=[kl]"], "loss kl needs a teacher's scores, got teacher=null; give teacher=FILE"),
        (["teacher=t.trec"], "teacher is 't.trec', but loss softmax_hinge does not read a teacher's scores"),
        (["trainer.precision=bf16-true"], "trainer.precision is 'bf16-true'; allowed: 32-true"),
    ],
)
def test_training_is_rejected_before_the_data_is_read(
    overrides: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["data=folder", f"data.path={tmp_path}/nowhere", *overrides])
    monkeypatch.setattr(train, "make_data", lambda *_: pytest.fail("the data was read"))
    with pytest.raises(ConfigError, match=re.escape(told)):
        train._train(config, tmp_path, None)  # type: ignore[arg-type]
