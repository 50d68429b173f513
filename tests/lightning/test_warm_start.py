"""Starting from a checkpoint: the encoder always, the head where it fits, another shape never."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.warm_start import load_weights
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.heads.vanilla import Vanilla
from clir_lightning.models.tiny import TinyEncoder


@pytest.fixture
def folder(collection: Collection, tmp_path: Path) -> str:
    return TinyEncoder(vocabulary=120, width=16, heads=2, layers=2).prepare(collection, "train", tmp_path / "e", seed=3)


@pytest.fixture
def vanilla(folder: str, tmp_path: Path) -> tuple[CEDR, Path]:
    """A changed vanilla model, and its checkpoint."""
    model = CEDR(Encoder(folder), Vanilla)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.5)
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {f"model.{name}": value for name, value in model.state_dict().items()}}, path)
    return model, path


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_encoder_is_taken_and_another_head_stays_new(vanilla: tuple[CEDR, Path], folder: str) -> None:
    model = CEDR(Encoder(folder), KNRM)
    before = model.head.state_dict()["mu"].clone()
    load_weights(model, vanilla[1])
    assert same(model.encoder, vanilla[0].encoder)
    assert torch.equal(model.head.state_dict()["mu"], before)


def test_the_same_head_is_taken_too(vanilla: tuple[CEDR, Path], folder: str) -> None:
    model = CEDR(Encoder(folder), Vanilla)
    load_weights(model, vanilla[1])
    assert same(model, vanilla[0])


def test_another_shape_is_refused(vanilla: tuple[CEDR, Path], collection: Collection, tmp_path: Path) -> None:
    wider = TinyEncoder(vocabulary=120, width=32, heads=2, layers=2)
    model = CEDR(Encoder(wider.prepare(collection, "train", tmp_path / "w", seed=3)), Vanilla)
    with pytest.raises(ConfigError, match=r"encoder\.\S+ is \(\d+, 16\) there, \(\d+, 32\) here; start from"):
        load_weights(model, vanilla[1])


def test_more_layers_are_refused(vanilla: tuple[CEDR, Path], collection: Collection, tmp_path: Path) -> None:
    deeper = TinyEncoder(vocabulary=120, width=16, heads=2, layers=3)
    model = CEDR(Encoder(deeper.prepare(collection, "train", tmp_path / "d", seed=3)), Vanilla)
    with pytest.raises(ConfigError, match=r"encoder.model.encoder.layer.2\S+ is missing there"):
        load_weights(model, vanilla[1])


def test_a_file_that_is_no_checkpoint_is_named(folder: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"nowhere is no checkpoint of clir train \(FileNotFoundError\); give the path"
    ):
        load_weights(CEDR(Encoder(folder), Vanilla), tmp_path / "nowhere")
