"""`GeometryLog`: how the vectors of a dual model lie, logged at each validation."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from clir_lightning.data.tokens.table import as_rows
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.geometry import geometry, told_apart
from clir_lightning.models.dual import DualEncoder
from clir_lightning.scoring.processes import gather_objects
from clir_lightning.settings.markers import Count


class GeometryLog(pl.Callback):
    """Logs `val/geometry/…`, each value of `evaluation.geometry.Geometry`, from the vectors of the validation itself.

    Nothing is encoded again. Processes that share a validation put the vectors of these queries together.

    Args:
        queries: how many are looked at, with their candidates.
    """

    def __init__(self, *, queries: Count = 64) -> None:
        self.queries = queries

    def check(self, module: pl.LightningModule) -> None:
        """Raise `ConfigError` for a model without one vector per text."""
        if not isinstance(module.model, DualEncoder):
            raise ConfigError("the callback `geometry` is for architecture=dual; set callbacks.geometry=null")

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the vectors that the engines of all processes keep."""
        data = trainer.datamodule  # type: ignore[attr-defined]  # clir's own
        module: Any = pl_module
        scored = data.candidates["val"]
        candidates = scored.run
        table = scored.dataset.documents.table.index

        # The first queries of all processes, in order of their ids; each process brings those of its own that can be.
        own = module.engine.queries
        queries: dict[str, Tensor] = {}
        for share in gather_objects({query: own[query] for query in sorted(own)[: self.queries]}):
            queries.update(share)
        chosen = sorted(queries)[: self.queries]

        # Which query and document are to be told apart, by their rows in the two matrices of vectors.
        lists = {query: list(candidates[query]) for query in chosen}
        ids = sorted({document for listed in lists.values() for document in listed})
        of_queries = {query: place for place, query in enumerate(chosen)}
        of_documents = {document: place for place, document in enumerate(ids)}
        pairs = told_apart(lists, scored.qrels, of_queries, of_documents)
        if not trainer.is_global_zero or not len(pairs[0]):
            return

        # Documents' vectors are in every process since the first query was scored.
        documents = torch.stack([module.engine.documents[row] for row in as_rows(table, ids).tolist()])
        found = geometry(torch.stack([queries[query] for query in chosen]), documents, *pairs)
        for name, value in found.rounded().items():
            pl_module.log(f"val/geometry/{name}", value, rank_zero_only=True)
