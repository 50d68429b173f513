"""The dual architecture against plain loops: pooling, projection, centring, Matryoshka sizes, temperature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clir_lightning.data.tokens.texts import Texts
from clir_lightning.errors import ConfigError
from clir_lightning.models.dual import RUN_STATE, DualEncoder, Temperature
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.pooling import POOLINGS
from models.conftest import Batches
from models.fakes import Array, TableEncoder, array, states, texts, unit
from models.test_pooling import naive

IDS = ([3, 7, 9, 4], [8], [5, 5, 12])


def dual(**settings: Any) -> DualEncoder:
    """A dual model over known states, its linear layer if any drawn from a seed."""
    torch.manual_seed(1)
    encoder: Any = TableEncoder()
    return DualEncoder(encoder, **settings)


def pooled(model: DualEncoder, name: str = "mean") -> Array:
    """Each of the texts' vectors before any scaling, `[3, P]`, from its own tokens alone."""
    vectors = np.stack([naive(name, states(model.encoder, ids)) for ids in IDS])
    if model.projection is None:
        return vectors
    weight, bias = array(model.projection.weight), array(model.projection.bias)
    return np.stack([weight @ vector + bias for vector in vectors])


def near(values: Array) -> Any:
    return pytest.approx(values, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("projection", [None, 4])
@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_a_vector_is_pooled_projected_and_of_length_1(pooling: str, projection: int | None, training: bool) -> None:
    """Of a text's own tokens: the padding's states are far away."""
    model = dual(pooling=pooling, projection=projection).train(training)
    found = model.encode(texts(*IDS, room=2), "query")
    assert found.shape == (3, model.width)
    assert model.width == (projection or 6)
    assert array(found) == near(unit(pooled(model, pooling)))


@pytest.mark.parametrize("training", [True, False])
def test_a_dot_products_vectors_keep_their_length(training: bool) -> None:
    model = dual(similarity="dot", projection=4).train(training)
    assert array(model.encode(texts(*IDS), "document")) == near(pooled(model))


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_each_side_is_centred_by_its_own_mean_outside_of_training(similarity: str) -> None:
    """Unit vectors minus the side's mean, of length 1 again; in training the means are not there."""
    model = dual(similarity=similarity)
    means = {"query": torch.linspace(-0.5, 0.5, 6), "document": torch.linspace(0.9, -0.3, 6)}
    for side in ("query", "document"):
        model.mean(side).copy_(means[side])  # type: ignore[arg-type]
    plain = unit(pooled(model)) if similarity == "cosine" else pooled(model)
    for side, mean in means.items():
        assert array(model.train().encode(texts(*IDS), side)) == near(plain)  # type: ignore[arg-type]
        moved = plain - array(mean)
        expected = unit(moved) if similarity == "cosine" else moved
        assert array(model.eval().encode(texts(*IDS), side)) == near(expected)  # type: ignore[arg-type]


def test_means_are_kept_with_the_weights_and_start_at_zero() -> None:
    state = dual().state_dict()
    assert state["query_mean"].tolist() == state["document_mean"].tolist() == [0.0] * 6
    assert set(RUN_STATE) == {name for name in state if not name.startswith("encoder.")}


def test_separate_towers_start_alike_and_serve_a_side_each() -> None:
    model = dual(towers="separate")
    assert model.document_encoder is not None
    batch = texts(*IDS)
    assert torch.equal(model.encode(batch, "query"), model.encode(batch, "document"))

    other: Any = TableEncoder(seed=9)
    model.document_encoder.load_state_dict(other.state_dict())
    assert array(model.encode(batch, "query")) == near(unit(pooled(model)))
    expected = np.stack([naive("mean", states(other, ids)) for ids in IDS])
    assert array(model.encode(batch, "document")) == near(unit(expected))

    total: Any = model.encode(batch, "document").sum()
    total.backward()
    assert model.document_encoder.table.grad is not None
    assert model.encoder.table.grad is None


def test_a_shared_tower_serves_both_sides() -> None:
    model = dual()
    assert model.document_encoder is None
    assert torch.equal(model.encode(texts(*IDS), "query"), model.encode(texts(*IDS), "document"))


def test_similarities_by_hand() -> None:
    """Of queries (1, 2), (0, 3) with documents (4, 1), (−1, 0), (2, 2)."""
    queries, documents = torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([[4.0, 1.0], [-1.0, 0.0], [2.0, 2.0]])
    assert dual().similarity(queries, documents).tolist() == [[6.0, -1.0, 6.0], [3.0, 0.0, 6.0]]


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_shorter_vectors_are_prefixes_of_length_1_where_the_whole_is(similarity: str) -> None:
    model = dual(similarity=similarity, dimensions=[2, 5])
    encoded = model.encode(texts(*IDS), "query")
    whole, two, five = model.views(encoded)
    assert torch.equal(whole, encoded)
    for view, size in ((two, 2), (five, 5)):
        prefix = array(encoded)[:, :size]
        assert array(view) == near(unit(prefix) if similarity == "cosine" else prefix)


@pytest.mark.parametrize("sizes", [[0], [6], [2, 7]])
def test_sizes_that_are_not_prefixes_are_rejected(sizes: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"architecture.dimensions are .*; allowed: 1 to 5"):
        dual(dimensions=sizes)
    with pytest.raises(ConfigError, match=r"allowed: 1 to 3"):
        dual(projection=4, dimensions=[4])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"towers": "both"}, r"architecture.towers is 'both'; allowed: shared, separate"),
        ({"similarity": "cosin"}, r"architecture.similarity is 'cosin'; allowed: cosine, dot; did you mean 'cosine'"),
        ({"pooling": "first"}, r"architecture.pooling is 'first'; allowed: cls, "),
        ({"temperature": 0.0}, r"architecture.temperature is 0.0; allowed: numbers above 0"),
    ],
)
def test_settings_that_cannot_be_are_rejected(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        dual(**settings)


def test_a_fixed_temperature_divides_and_does_not_learn() -> None:
    """Below .01 too: the bound is a learnt one's."""
    scale = dual(temperature=0.004).scale()
    assert scale.item() == pytest.approx(250.0)
    assert not scale.requires_grad


def test_a_learnt_temperature_starts_where_it_is_set_and_gets_its_gradient() -> None:
    """d(1/τ) / d ln(1/τ) = 1/τ."""
    model = dual(temperature=0.05, learn_temperature=True)
    assert model.scale().item() == pytest.approx(20.0)
    model.scale().backward()  # type: ignore[no-untyped-call]
    assert model.temperature.log_scale.grad is not None
    assert model.temperature.log_scale.grad.item() == pytest.approx(20.0)


def test_a_learnt_temperature_stays_above_a_hundredth_and_can_come_back() -> None:
    temperature = Temperature(0.02, learnt=True)
    with torch.no_grad():
        temperature.log_scale.fill_(math.log(500.0))
    assert temperature().item() == pytest.approx(100.0)
    optimizer = torch.optim.SGD(temperature.parameters(), lr=0.001)
    temperature().backward()
    optimizer.step()  # ln 100 − .001 · 100
    assert temperature().item() == pytest.approx(100.0 * math.exp(-0.1))


def test_a_learnt_temperature_below_its_bound_is_rejected() -> None:
    assert Temperature(0.01, learnt=True)().item() == pytest.approx(100.0)
    with pytest.raises(ConfigError, match=r"architecture.temperature is 0.005; allowed where it is learnt: 0.01 or"):
        Temperature(0.005, learnt=True)


def test_lengths_of_both_sides_are_checked() -> None:
    model = dual()
    model.check_lengths(256, 64)
    model.check_lengths(128, None)
    asked: Any = model.encoder
    query = "batches.query_length"
    assert asked.asked == [(256, "batches.max_length"), (64, query), (128, "batches.max_length"), (0, query)]


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
def test_a_vector_does_not_depend_on_the_texts_beside_it(pooling: str, encoder: Encoder, batches: Batches) -> None:
    """Both families' transformers, rows short and long."""
    batch = batches(("short", "one"), ("long", "few"), ("short", "some"))
    rows = Texts(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    model = DualEncoder(encoder, pooling=pooling).eval()
    with torch.no_grad():
        together = model.encode(rows, "query")
        alone = torch.cat([model.encode(part, "query") for part in rows.parts(1)])
    assert torch.allclose(together, alone, atol=1e-5)
    assert max(off_diagonal(together @ together.T)) < 0.999


def off_diagonal(square: Tensor) -> list[float]:
    values: list[float] = square[~torch.eye(len(square), dtype=torch.bool)].tolist()
    return values
