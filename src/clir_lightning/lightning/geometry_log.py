"""`GeometryLog`: how the vectors of a dual model lie, logged at each validation."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from clir_lightning.data.tokens import as_rows
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.geometry import geometry, told_apart
from clir_lightning.models.dual import DualEncoder


class GeometryLog(pl.Callback):
    """Logs `val/geometry/…`, each value of `evaluation.geometry.Geometry`, from the vectors of the validation itself.

    Nothing is encoded again. Of several processes the first one's share of the queries is looked at.

    Args:
        queries: so many, with their candidates.
    """

    def __init__(self, *, queries: int = 64) -> None:
        self.queries = queries

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a model without a vector a text."""
        if not isinstance(pl_module.model, DualEncoder):
            raise ConfigError("the callback `geometry` is for architecture=dual; set callbacks.geometry=null")

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the vectors that the module keeps."""
        data = trainer.datamodule  # type: ignore[attr-defined]  # clir's own
        module: Any = pl_module
        encoded, queries = module.encoded, module.encoded_queries
        chosen = sorted(queries)[: self.queries]
        lists = {query: list(data.candidates["val"][query]) for query in chosen}
        ids = sorted({document for listed in lists.values() for document in listed})
        places = ({query: place for place, query in enumerate(chosen)}, {name: place for place, name in enumerate(ids)})
        pairs = told_apart(lists, data.qrels("val"), *places)
        if not trainer.is_global_zero or not len(pairs[0]):
            return
        rows = as_rows(data.dataset_apart().documents.table.index, ids)
        documents = torch.stack([encoded[row] for row in rows.tolist()])
        found = geometry(torch.stack([queries[query] for query in chosen]), documents, *pairs)
        for name, value in found.rounded().items():
            pl_module.log(f"val/geometry/{name}", value, rank_zero_only=True)
