"""A small model of topics with its folder, learnt from the small collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl

from clir_lightning.data.collection import Collection
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.tiny import TinyEncoder
from clir_lightning.retrieval.analysis import cjk_bigrams, words
from clir_lightning.scoring.computing import Computing
from clir_lightning.topics.encoding import ARCHITECTURE, identity, mean_pooled, vectors_of
from clir_lightning.topics.folder import Topics
from clir_lightning.topics.learning import Material, SideTexts
from clir_lightning.topics.words import WordLimits

QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
}


def trainer(**settings: Any) -> pl.Trainer:
    return pl.Trainer(**{"max_epochs": 2, **QUIET, **settings})


def write_topics(collection: Collection, folder: Path, *, seed: int = 3, name: str | None = None) -> Topics:
    """Learn two topics and write them; with a `name` the encoder lies there, else in the folder."""
    place = Path(name) if name else folder.with_name("made")
    TinyEncoder(vocabulary=120, width=16, heads=2, layers=1).prepare(collection, "train", place, seed=seed)
    encoder = mean_pooled(
        Encoder(str(place)), {"query": "", "document": ""}, {"query": 32, "document": 32}, Computing()
    )
    key, limits = identity(encoder), WordLimits(least=1, most=1.0)
    train = collection.split("train").queries
    sides = {
        "document": SideTexts.of(
            collection.documents.values(),
            vectors_of(encoder, collection.documents, "document", key=key),
            words,
            limits,
            "",
        ),
        "query": SideTexts.of(train.values(), vectors_of(encoder, train, "query", key=key), cjk_bigrams, limits, ""),
    }
    pl.seed_everything(seed, verbose=False)
    material = Material(sides, queries=True)  # type: ignore[arg-type]
    model, settings = material.model(centre=True, topics=2, hidden=8)
    material.learn(model, trainer(), size=2, pairs=2, seed=seed)
    topics = Topics(model, encoder, {side: each.vocabulary for side, each in material.sides.items()}, key)
    pool = {side: np.random.default_rng(1).dirichlet([1, 1], 5).astype(np.float32) for side in material.sides}
    node = {"_target_": "clir_lightning.models.PretrainedEncoder", "name": name}
    origin = {"name": name, "config": node if name else ARCHITECTURE}
    topics.write(folder, pool=pool, encoder=origin, about={"model": settings}, files={"topics.html": "<html>"})
    return topics


@pytest.fixture
def topics_folder(collection: Collection, tmp_path: Path) -> Path:
    write_topics(collection, tmp_path / "topics")
    return tmp_path / "topics"
