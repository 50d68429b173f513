"""The cross architecture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from clir_lightning.data.batches.pairs import PairBatch, PairDataset, Step
from clir_lightning.data.collection import Collection
from clir_lightning.data.tokens.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens.table import tokenise
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Sample
from models.fakes import Array, TableEncoder, array, states


@pytest.fixture
def folder(collection: Collection, tmp_path: Path) -> str:
    return TinyEncoder(vocabulary=120, width=16, heads=2, layers=3).prepare(collection, "train", tmp_path / "e", seed=3)


def pairs(collection: Collection, encoder: Encoder) -> PairDataset:
    queries = {i: query for split in collection.splits.values() for i, query in split.queries.items()}
    assembler = PairAssembler(
        tokenise(queries, encoder.tokenizer, name="queries"),
        tokenise(collection.documents, encoder.tokenizer, name="documents"),
        PairTemplate.of(encoder.tokenizer),
        encoder.tokenizer.pad_token_id,
        32,
    )
    return PairDataset(assembler)


@pytest.fixture
def score(collection: Collection, folder: str) -> Callable[[list[Sample]], torch.Tensor]:
    torch.manual_seed(0)
    encoder = Encoder(folder)
    model = CrossEncoder(encoder).eval()
    dataset = pairs(collection, encoder)

    def run(samples: list[Sample]) -> torch.Tensor:
        with torch.no_grad():
            scores: torch.Tensor = model(dataset[Step(samples)])
        return scores

    return run


def test_a_score_does_not_depend_on_the_batch(score: Callable[[list[Sample]], torch.Tensor]) -> None:
    short, long = Sample("q2", ("c",), (0,)), Sample("q3", ("b",), (0,))
    assert score([short, long]).shape == (2, 1)
    assert torch.allclose(score([short, long]), torch.cat([score([short]), score([long])]), atol=1e-5)


def test_scores_keep_the_order_of_documents(score: Callable[[list[Sample]], torch.Tensor]) -> None:
    both = score([Sample("q1", ("a", "b"), (6, 0)), Sample("q2", ("c", "d"), (6, 0))])
    assert both.shape == (2, 2)
    assert torch.allclose(both[1, 0], score([Sample("q2", ("c",), (0,))])[0, 0], atol=1e-5)


def test_every_weight_gets_a_gradient(collection: Collection, folder: str) -> None:
    encoder = Encoder(folder)
    model = CrossEncoder(encoder)
    model(pairs(collection, encoder)[Step([Sample("q1", ("a", "b"), (6, 0))])]).sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


# Rows of one query with two documents, `before query between document after`: tokens of query and of document.
ROWS = (([3, 7], [9, 4, 12]), ([3, 7], [8]))


def by_hand() -> PairBatch:
    """Both rows with special tokens 1 and 2, padded by 0, whose states are far away."""
    rows = [[1, *query, 2, *document, 2] for query, document in ROWS]
    width = max(len(row) for row in rows) + 1
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    spans = [[1, 1 + len(query)] for query, _ in ROWS], [[4, 4 + len(document)] for _, document in ROWS]
    return PairBatch(
        ids,
        (ids != 0).long(),
        None,
        torch.zeros(1, 2),
        (),
        query_spans=torch.tensor(spans[0]),
        document_spans=torch.tensor(spans[1]),
    )


def pooled(pooling: str, encoder: Any, query: list[int], document: list[int]) -> Array:
    """What the head reads of one row, from its own tokens' states."""
    if pooling == "cls":
        first: Array = states(encoder, [1])[0]
        return first
    if pooling == "mean":
        whole: Array = states(encoder, [1, *query, 2, *document, 2]).mean(axis=0)
        return whole
    u, v = states(encoder, query).mean(axis=0), states(encoder, document).mean(axis=0)
    return np.concatenate([u, v, np.abs(u - v), u * v])


@pytest.mark.parametrize("pooling", ["cls", "mean", "parts"])
def test_a_score_is_the_head_of_the_pooled_states(pooling: str) -> None:
    """W₂ · tanh(W₁ x + b₁) + b₂, x the first state, the mean of all tokens, or (u, v, |u − v|, u ⊙ v)."""
    encoder: Any = TableEncoder()
    model = CrossEncoder(encoder, pooling=pooling, hidden=5).eval()
    first, last = model.head[1], model.head[4]
    expected = []
    for query, document in ROWS:
        x = pooled(pooling, encoder, query, document)
        hidden = np.tanh(array(first.get_parameter("weight")) @ x + array(first.get_parameter("bias")))
        expected.append(float((array(last.get_parameter("weight")) @ hidden + array(last.get_parameter("bias")))[0]))
    scores = model(by_hand())
    assert scores.shape == (1, 2)
    assert scores[0].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_dropout_stands_before_each_linear_layer() -> None:
    encoder: Any = TableEncoder()
    head = CrossEncoder(encoder, dropout=0.3).head
    assert [type(layer) for layer in head] == [nn.Dropout, nn.Linear, nn.Tanh, nn.Dropout, nn.Linear]
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.3, 0.3]
