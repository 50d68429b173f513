"""The cross architecture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clir_lightning.data.batching import PairDataset, Step
from clir_lightning.data.collection import Collection
from clir_lightning.data.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens import tokenise
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.types import Sample


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
