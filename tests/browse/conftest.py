"""The small random encoders of `tests/models`, and rankers made of them without any training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clir_lightning.browse.library import Library, Settings
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.collection import Collection
from clir_lightning.models.encoder import Encoder
from clir_lightning.retrieval.bm25 import LightBM25
from clir_lightning.retrieval.first_stage import FirstStage
from clir_lightning.retrieval.translation import LexiconTranslation
from clir_lightning.scoring.computing import Computing
from clir_lightning.types import Document, Query, Run
from models.conftest import encoder, encoder_folder

__all__ = ["encoder", "encoder_folder"]


def ranker_of(model: Any, encoder: Encoder, batches: Batches) -> Any:
    """What `Ranker` is to the page: a model with its tokenizer, batches and device."""
    trained = SimpleNamespace(model=model.eval(), encoder=encoder, batches=lambda: batches, path=Path("model"))
    return SimpleNamespace(trained=trained, at=Computing())


@pytest.fixture
def make_ranker() -> Any:
    return ranker_of


class Lengths:
    """A model whose score of a document is the length of its text."""

    def __init__(self, model: object = None) -> None:
        self.trained = SimpleNamespace(model=model, path=Path("lengths"))
        self.asked: list[dict[str, list[str]]] = []

    def score(self, documents: dict[str, Document], queries: dict[str, Query], lists: Run) -> Run:
        self.asked.append({query: list(scores) for query, scores in lists.items()})
        assert set(queries) == set(lists)
        return Run({query: {name: float(len(documents[name].text)) for name in lists[query]} for query in lists})


@pytest.fixture
def lengths() -> type[Lengths]:
    return Lengths


@pytest.fixture
def library(collection: Collection) -> Library:
    settings = Settings(data={}, retriever={}, translation={}, split="train", depth=3)
    first = FirstStage(LightBM25(analyser="words"), LexiconTranslation(names="train"))
    run = Run({"q1": {"b": 2.0, "a": 1.0, "unknown": 3.0}}, "mine")
    model: Any = Lengths()
    return Library(
        settings, collection, collection.split("train"), {"mine": run}, {"lengths": model}, first, graph=None
    )
