"""From texts, their vectors and a table of terms to a trained topic model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import scipy.sparse as sp
import torch
from torch.utils.data import DataLoader

from clir_lightning.data.tokens.texts import Side
from clir_lightning.topics.batches import TopicDataset, TopicSteps, TopicTexts
from clir_lightning.topics.encoding import Vectors
from clir_lightning.topics.model import TopicModel
from clir_lightning.topics.words import Links, Tokens, Vocabulary, WordLimits
from clir_lightning.types import Document, Query


@dataclass(frozen=True)
class SideTexts:
    """The texts of a side: their vectors `[N, H]`, words, and the vocabulary of these with its counts `[N, V]`."""

    vectors: Vectors
    words: list[list[str]]
    vocabulary: Vocabulary
    counts: sp.csr_matrix

    @classmethod
    def of(
        cls, records: Iterable[Query | Document], vectors: Vectors, analyser: Tokens, limits: WordLimits, name: str
    ) -> SideTexts:
        """Raises `DataError`, with `name`, where no word is within the limits."""
        words = [analyser(record.text) for record in records]
        vocabulary = Vocabulary.of(words, limits, name)
        return cls(vectors, words, vocabulary, vocabulary.counts(words))


@dataclass(frozen=True)
class Material:
    """What topics are learnt from.

    Args:
        sides: texts of both sides; the queries' give their mean vector even where their words are not learnt from.
        queries: whether they are.
        links: terms whose topics are aligned; nothing for none.
    """

    sides: Mapping[Side, SideTexts]
    queries: bool
    links: Links | None = None

    def model(self, *, centre: bool, **settings: Any) -> tuple[TopicModel, dict[str, Any]]:
        """An untrained model that knows how the vectors lie, and its settings as plain values."""
        documents = self.sides["document"]
        words = len(self.sides["query"].vocabulary) if self.queries else 0
        sizes = {"width": documents.vectors.shape[1], "words": len(documents.vocabulary), "query_words": words}
        model = TopicModel(**sizes, **settings)
        for side, texts in self.sides.items():
            model.standardise(side, torch.from_numpy(np.array(texts.vectors)), centre=centre)
        return model, {**sizes, **settings}

    def learn(self, model: TopicModel, trainer: pl.Trainer, *, size: int, pairs: int, seed: int) -> None:
        """Train the model, on `size` documents and `pairs` of linked terms a step."""
        names: dict[Side, str] = {"document": "documents", "query": "queries"}
        read = {
            side: TopicTexts.of(texts.vectors, texts.counts, names[side])
            for side, texts in self.sides.items()
            if side == "document" or self.queries
        }
        linked = 0 if self.links is None else len(self.links.pairs)
        counts = {side: len(texts) for side, texts in read.items()}
        steps = TopicSteps(counts, size=size, pairs=linked, terms=pairs, seed=seed)
        trainer.fit(model, DataLoader(TopicDataset(read, self.links), sampler=steps, batch_size=None))
        model.eval().cpu()
