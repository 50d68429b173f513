"""`FirstStage`: a retriever with the translation that it needs, for queries of a split and for any others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clir_lightning.data.collection import Collection, Split
from clir_lightning.retrieval.translation import Translation
from clir_lightning.types import Document, Qrels, Query, Run

ASKED = "asked"  # the split that queries from elsewhere form


@dataclass(frozen=True)
class FirstStage:
    """Finds documents for queries. What a retriever keeps of documents (`open`) serves all calls on one collection."""

    retriever: Any
    translation: Translation
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The retriever's."""
        return str(self.retriever.name)

    def __call__(self, collection: Collection, queries: Mapping[str, Query], *, depth: int) -> Run:
        """Up to `depth` documents for each of these queries, which are in no split."""
        asked = Split(queries, Qrels({query: {} for query in queries}))
        both = Collection(collection.name, collection.documents, {**collection.splits, ASKED: asked})
        search = self._search(self.translation.documents(both, ASKED))
        return search(self.translation.queries(both, ASKED), depth=depth)

    def of_split(self, collection: Collection, split: str, query: str, *, depth: int) -> Run:
        """Up to `depth` documents for a query of a split, translated as `clir retrieve` translates it there."""
        if self._kept.get("split") != split:
            self._kept["queries"] = self.translation.queries(collection, split)
            self._kept["documents"] = self.translation.documents(collection, split)
            self._kept["split"] = split
        return self._search(self._kept["documents"])({query: self._kept["queries"][query]}, depth=depth)

    def _search(self, documents: Mapping[str, Document]) -> Callable[..., Run]:
        """The search in these documents; the last ones stay opened."""
        if self._kept.get("searched") is not documents:
            opened = getattr(self.retriever, "open", None)
            self._kept["search"] = partial(self.retriever, documents) if opened is None else opened(documents)
            self._kept["searched"] = documents
        search: Callable[..., Run] = self._kept["search"]
        return search
