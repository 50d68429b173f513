"""`TopicModel`: its forward pass and its loss against NumPy, its seeds, and what it rejects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from clir_lightning.errors import ConfigError, DataError
from clir_lightning.topics.batches import Terms, TopicBatch, TopicTexts
from clir_lightning.topics.learning import Material, SideTexts
from clir_lightning.topics.model import TopicModel
from clir_lightning.topics.objective import alignment, divergence, log_likelihood
from clir_lightning.topics.words import Links, Vocabulary
from topics.conftest import trainer


def softplus(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.log1p(np.exp(values))
    return found


def test_topics_are_those_of_the_posteriors_mean() -> None:
    model = TopicModel(3, 2, 4, hidden=5).eval()
    vectors = torch.randn(6, 3) * 2 + 1
    model.standardise("query", vectors)
    mean = vectors.numpy().mean(axis=0)
    scale = np.sqrt(((vectors.numpy() - mean) ** 2).mean())
    states = (vectors.numpy() - mean) / scale

    # Two layers, a linear one, and a normalisation whose running mean and variance are still 0 and 1.
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    for place in (0, 2):
        states = softplus(
            states @ weights[f"network.layers.{place}.weight"].T + weights[f"network.layers.{place}.bias"]
        )
    logits = states @ weights["network.mean.0.weight"].T + weights["network.mean.0.bias"]
    logits = logits / np.sqrt(1 + 1e-5)
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert model(vectors, "query").detach().numpy() == pytest.approx(exact, abs=1e-6)
    assert not torch.allclose(model(vectors, "document"), model(vectors, "query"))  # each side has a mean of its own


def test_a_texts_topics_do_not_depend_on_the_texts_beside_it() -> None:
    model = TopicModel(3, 2, 4, hidden=5).eval()
    vectors = torch.randn(6, 3)
    assert torch.allclose(model(vectors, "document")[2:3], model(vectors[2:3], "document"), atol=1e-6)


def test_the_loss_is_the_sum_of_both_sides_bounds_and_the_alignment(monkeypatch: pytest.MonkeyPatch) -> None:
    model = TopicModel(3, 2, 4, 5, hidden=5, dropout=0.0, aligned=7.0, temperature=0.5)
    model.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    vectors = {"query": torch.randn(4, 3), "document": torch.randn(6, 3)}
    counts = {"query": torch.randint(0, 3, (4, 5)), "document": torch.randint(0, 3, (6, 4))}
    words = {"query": torch.rand(3, 5), "document": torch.rand(2, 4)}
    linked = torch.tensor([[True, False], [False, True], [False, False]])
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)  # ε of 1
    batch: Any = TopicBatch(vectors, counts, Terms(words, linked))  # type: ignore[arg-type]
    loss = model.training_step(batch, 0)

    # The same from its parts; all texts share one normalisation.
    mean, log_variance = model.network(torch.cat([vectors["query"], vectors["document"]]))
    theta = (mean + (0.5 * log_variance).exp()).softmax(dim=1)
    bound = divergence(mean, log_variance, 0.5)
    exact = bound[:4].mean() + bound[4:].mean()
    betas = {}
    for side, rows in (("query", slice(4)), ("document", slice(4, None))):
        decoder: Any = model.decoders[side]
        mixed = theta[rows] @ decoder.words
        logits = (mixed - mixed.mean(dim=0)) / (mixed.var(dim=0, unbiased=False) + 1e-5).sqrt()
        exact = exact - log_likelihood(counts[side].float(), logits).mean()
        betas[side] = words[side] @ (decoder.words - decoder.words.mean(dim=0)).T
    exact = exact + 7 * alignment(betas["query"], betas["document"], linked, 0.5)
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), rel=1e-5)


def material(seed: int = 0) -> Material:
    """Two kinds of texts: vectors on two sides, words of two halves of a vocabulary."""
    random = np.random.default_rng(seed)
    sides: dict[Any, SideTexts] = {}
    for side in ("document", "query"):
        kinds = np.arange(60) % 2
        vectors = (np.eye(4, dtype=np.float32)[kinds] * 4 + random.normal(size=(60, 4))).astype(np.float32)
        counts = np.zeros((60, 8), np.float32)
        for row, kind in enumerate(kinds):
            counts[row, 4 * kind + random.integers(0, 4, 3)] = 1
        words = tuple(f"{side}{number}" for number in range(8))
        sides[side] = SideTexts(vectors, [[]], Vocabulary(words), sp.csr_matrix(counts))
    links = Links(sp.eye(8).tocsr(), sp.eye(8).tocsr(), np.array([[place, place] for place in range(8)]))
    return Material(sides, queries=True, links=links)


def learnt(seed: int) -> TopicModel:
    torch.manual_seed(seed)
    model, _ = material().model(centre=True, topics=2, hidden=10, aligned=2.0, learning_rate=0.02)
    material().learn(model, trainer(max_epochs=60), size=20, pairs=8, seed=seed)
    return model


@pytest.mark.slow
def test_training_finds_two_topics_and_gives_queries_the_same_ones_by_the_seed() -> None:
    model = learnt(1)
    texts = material()
    strongest = {}
    for side, each in texts.sides.items():
        strongest[side] = model(torch.from_numpy(each.vectors), side).argmax(dim=1).reshape(-1, 2)
        share = (strongest[side] == strongest["document"][0]).float().mean()
        assert float(share) > 0.9  # texts of one kind have one topic, the same in both languages
        words = model.words(side).argmax(dim=0).tolist()
        assert words == [int(strongest["document"][0, kind]) for kind in (0, 0, 0, 0, 1, 1, 1, 1)]
    again, other = learnt(1), learnt(2)
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in model.state_dict().items())
    assert not torch.equal(model.words("query"), other.words("query"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"topics": 1}, "topics is 1; allowed: 2 or more"),
        ({"topics": 9}, "topics is 9; allowed: 2 to 8, the words of the vocabulary"),
        ({"alpha": 0.0}, r"network\.alpha is 0\.0"),
        ({"learning_rate": -1.0}, r"learning_rate is -1\.0"),
    ],
)
def test_settings_that_cannot_work_are_rejected(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        TopicModel(4, **{"topics": 2, "words": 8, **settings})


def test_a_loss_that_is_no_number_ends_the_training_with_its_parts() -> None:
    texts = material()
    model, _ = texts.model(centre=True, topics=2)
    decoder: Any = model.decoders["query"]
    decoder.words.data[0, 0] = torch.nan
    with pytest.raises(DataError, match=r"not finite at step 0 \(query nan, document [\d.]+.*lower learning_rate"):
        texts.learn(model, trainer(), size=20, pairs=8, seed=1)


def test_documents_of_one_word_are_enough() -> None:
    counts = sp.csr_matrix(np.eye(8, dtype=np.float32)[np.arange(16) % 8])
    side = SideTexts(
        np.random.default_rng(1).normal(size=(16, 4)).astype(np.float32), [[]], Vocabulary(("w",) * 8), counts
    )
    texts = Material({"document": side}, queries=False)
    model, settings = texts.model(centre=False, topics=3)
    texts.learn(model, trainer(), size=8, pairs=2, seed=1)
    assert (settings["width"], settings["query_words"]) == (4, 0)
    assert bool(model(torch.from_numpy(side.vectors), "query").isfinite().all())
    assert not bool(model.get_buffer("document_mean").any())
    assert len(TopicTexts.of(side.vectors, counts, "documents")) == 16
