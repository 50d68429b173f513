"""Features of a pair joined to what a head reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import ConfigError
from clir_lightning.models.cedr import CEDR
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.features import joined, width_of
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.heads.vanilla import Vanilla
from models.conftest import Batches


@pytest.fixture
def pair_batch(encoder: Encoder, batches: Batches) -> tuple[Encoder, PairBatch]:
    batch = batches(("short", "one", "few"), ("short", "few", "one"))
    rows = torch.randn(len(batch.input_ids), 3)
    return encoder, replace(batch, extra={"topics": rows, "overlap": rows[:, 0]})


def test_features_stand_behind_the_vector_in_the_order_of_the_settings(pair_batch: tuple[Encoder, PairBatch]) -> None:
    _, batch = pair_batch
    vectors = torch.randn(len(batch.input_ids), 4)
    found = joined(vectors, batch, {"overlap": 1, "topics": 3})
    assert torch.equal(found, torch.cat([vectors, batch.extra["overlap"][:, None], batch.extra["topics"]], dim=1))
    assert joined(vectors, batch, None) is vectors
    assert (width_of({"overlap": 1, "topics": 3}), width_of({})) == (4, 0)


def test_a_missing_feature_and_one_of_another_width_are_told_with_the_cure(
    pair_batch: tuple[Encoder, PairBatch],
) -> None:
    _, batch = pair_batch
    vectors = torch.zeros(len(batch.input_ids), 4)
    with pytest.raises(
        ConfigError, match=r"has words, which batches\.features does not make; it makes topics, overlap"
    ):
        joined(vectors, batch, {"words": 3})
    with pytest.raises(ConfigError, match=r"topics is 60, and .* gives 3 numbers a pair; set features\.topics=3"):
        joined(vectors, batch, {"topics": 60})
    with pytest.raises(ConfigError, match=r"architecture\.features\.topics is 0"):
        width_of({"topics": 0})


@pytest.mark.parametrize("kind", ["cross", "vanilla", "knrm"])
def test_a_head_reads_them_beside_the_states(kind: str, pair_batch: tuple[Encoder, PairBatch]) -> None:
    encoder, batch = pair_batch
    heads: dict[str, Any] = {"vanilla": Vanilla, "knrm": KNRM}
    plain: Any
    model: Any
    if kind == "cross":
        plain, model = CrossEncoder(encoder, dropout=0.0), CrossEncoder(encoder, dropout=0.0, features={"topics": 3})
    else:
        plain = CEDR(encoder, heads[kind], query_length=8, dropout=0.0)
        model = CEDR(encoder, heads[kind], query_length=8, dropout=0.0, features={"topics": 3})

    # Weights of 0 for the features leave the scores as they were, and others add what they say.
    layer = {"cross": "head.1", "vanilla": "head.linear", "knrm": "head.combine"}[kind]
    weights = {name: value for name, value in plain.state_dict().items() if name != f"{layer}.weight"}
    model.load_state_dict(weights, strict=False)
    wide = model.get_submodule(layer).weight
    with torch.no_grad():
        wide.zero_()
        wide[:, : wide.shape[1] - 3] = plain.get_submodule(layer).weight
        before = plain.eval()(batch)
        assert torch.allclose(model.eval()(batch), before, atol=1e-6)
        wide[:, -3:] = 1.0
        changed = model(batch) - before
    if kind != "cross":
        assert torch.allclose(changed.flatten(), batch.extra["topics"].sum(dim=1), atol=1e-5)
    assert bool((changed.abs() > 1e-6).all())
    pairs, scores = model.read(batch)
    assert pairs.shape == (len(scores), model.vector_width)
    assert torch.equal(pairs[:, -3:], batch.extra["topics"])
