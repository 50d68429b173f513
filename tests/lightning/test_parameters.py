"""Learning rates by layer, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.parameters import parameter_groups
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from models.families import write


@pytest.fixture
def model(collection: Collection, tmp_path: Path) -> CrossEncoder:
    tiny = TinyEncoder(vocabulary=120, width=16, heads=2, layers=2)
    return CrossEncoder(Encoder(tiny.prepare(collection, "train", tmp_path, seed=3)))


def test_each_layer_below_learns_slower_and_the_head_at_its_own_rate(model: CrossEncoder) -> None:
    groups = parameter_groups(model, learning_rate=1.0, head_learning_rate=7.0, layer_decay=0.5, weight_decay=0.1)
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
    groups = parameter_groups(model, learning_rate=1.0, head_learning_rate=7.0, layer_decay=0.5)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert rate[id(model.get_parameter("encoder.model.final_norm.weight"))] == 1.0
    assert rate[id(model.get_parameter("encoder.model.layers.1.mlp.Wi.weight"))] == 0.5
    assert rate[id(model.get_parameter("encoder.model.embeddings.norm.weight"))] == 0.125


def test_without_settings_all_learn_alike(model: CrossEncoder) -> None:
    groups = parameter_groups(model, learning_rate=0.3, weight_decay=0.1)
    assert sorted((group["lr"], group["weight_decay"]) for group in groups) == [(0.3, 0.0), (0.3, 0.1)]


def test_a_decay_that_cannot_be_is_refused(model: CrossEncoder) -> None:
    with pytest.raises(ConfigError, match=r"optimizer.layer_decay is 0; allowed: above 0, 1 for none"):
        parameter_groups(model, learning_rate=1.0, layer_decay=0)
