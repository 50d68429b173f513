"""`callbacks=[centring]`: each side's mean is of its own training texts, with the weights as they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from clir_lightning.data.batches.kinds import TextBatches
from clir_lightning.data.collection import Collection
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import Listwise
from clir_lightning.data.tokens.table import as_rows
from clir_lightning.errors import ConfigError
from clir_lightning.lightning.callbacks.centring import Centring, training_texts
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.dual import DualEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.scoring.engine import Engine


@pytest.fixture
def encoder(collection: Collection, tmp_path: Path) -> Encoder:
    return Encoder(TinyEncoder(vocabulary=120, width=16, heads=2).prepare(collection, "train", tmp_path / "e", seed=3))


def start(callback: Centring, model: DualEncoder, data: RankingDataModule) -> None:
    trainer: Any = SimpleNamespace(datamodule=data)
    module: Any = SimpleNamespace(model=model, engine=Engine(model))
    callback.check(module)
    callback.on_validation_start(trainer, module)


def test_each_sides_mean_is_that_of_its_own_training_texts(collection: Collection, encoder: Encoder) -> None:
    """Queries q1 and q2, and of each a judged document, as the seed draws it. Means set before do not enter."""
    data = RankingDataModule(collection, TextBatches(query_length=20), sampling=Listwise(3))
    data.tokenise(encoder.tokenizer)
    model = DualEncoder(encoder).eval()
    chosen = training_texts(collection.split("train"), 1000, data.training.seed)
    assert sorted(chosen["query"]) == ["q1", "q2"]
    sides = {"query": data.training.dataset.queries, "document": data.training.dataset.documents}
    with torch.no_grad():
        expected = {
            side: model.encode(texts.texts(as_rows(texts.table.index, chosen[side])), side).mean(dim=0)  # type: ignore[arg-type, index]
            for side, texts in sides.items()
        }
    for _ in range(2):
        start(Centring(), model, data)
        assert torch.allclose(model.mean("query"), expected["query"], atol=1e-6)
        assert torch.allclose(model.mean("document"), expected["document"], atol=1e-6)
    assert (expected["query"] - expected["document"]).abs().max() > 0.01


def test_the_texts_are_of_judged_pairs_as_many_as_asked_for_and_by_the_seed(collection: Collection) -> None:
    train = collection.split("train")
    few = training_texts(train, 1, 5)
    assert len(few["query"]) == len(few["document"]) == 1
    assert few["document"][0] in train.qrels[few["query"][0]]
    assert training_texts(train, 1, 5) == few
    assert len({tuple(training_texts(train, 1, seed)["query"]) for seed in range(9)}) == 2


def test_a_model_without_means_is_rejected(encoder: Encoder) -> None:
    module: Any = SimpleNamespace(model=CrossEncoder(encoder))
    with pytest.raises(ConfigError, match="the callback `centring` is for architecture=dual"):
        Centring().check(module)
