"""`Centring`: subtracts the mean vector of each side's training texts from a dual model's vectors."""

from __future__ import annotations

import random
from typing import Any

import pytorch_lightning as pl
import torch

from clir_lightning.data.collection import Split
from clir_lightning.data.tokens.table import as_rows
from clir_lightning.data.tokens.texts import Side, TextAssembler
from clir_lightning.errors import ConfigError
from clir_lightning.models.dual import DualEncoder
from clir_lightning.settings.markers import Count


def training_texts(split: Split, count: int, seed: int) -> dict[Side, list[str]]:
    """Ids of up to `count` training queries, and of one judged document of each, as `seed` draws them."""
    draw = random.Random(seed)
    queries = sorted(split.queries)
    chosen = draw.sample(queries, min(count, len(queries)))
    documents = [draw.choice(sorted(split.qrels[query])) for query in chosen if split.qrels[query]]
    return {"query": chosen, "document": list(dict.fromkeys(documents))}


class Centring(pl.Callback):
    """Before each validation, sets a `DualEncoder`'s means to those of the training texts, queries and documents apart.

    The model subtracts them outside of training, in its folder and exports too: what all texts of a language share
    tells none of them apart. Dev and test texts have no part in the means.

    Args:
        texts: queries, and as many documents, that the means are of.
    """

    def __init__(self, *, texts: Count = 1000) -> None:
        self.texts = texts

    def check(self, module: pl.LightningModule) -> None:
        """Raise `ConfigError` for a model without such means."""
        if not isinstance(module.model, DualEncoder):
            raise ConfigError("the callback `centring` is for architecture=dual; leave it out of callbacks=[…]")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set the means of the weights as they are now."""
        module: Any = pl_module
        data = trainer.datamodule  # type: ignore[attr-defined]  # clir's own
        dataset = data.training.dataset
        sides: dict[Side, TextAssembler] = {"query": dataset.queries, "document": dataset.documents}
        chosen = training_texts(data.training.split, self.texts, data.training.seed)
        for side, texts in sides.items():
            mean = module.model.mean(side)
            mean.zero_()
            vectors = module.engine.encode(texts, as_rows(texts.table.index, chosen[side]), side)
            mean.copy_(torch.from_numpy(vectors).mean(dim=0))
