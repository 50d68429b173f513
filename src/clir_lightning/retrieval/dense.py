"""Dense retrieval: documents as stored vectors, the nearest of them by FAISS."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from clir_lightning.data.store.folders import fingerprint
from clir_lightning.data.store.telling import of_texts
from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.dense_index import INDEXES, IndexSettings, Search, nearest, open_index
from clir_lightning.retrieval.retriever import DocumentRows
from clir_lightning.retrieval.vectors import BLOCK, Shard, stored_vectors
from clir_lightning.scoring.text_encoder import TextEncoder, Vectors
from clir_lightning.settings.markers import Count, OneOf
from clir_lightning.types import Document, Query, Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DenseSearch:
    """An opened collection: vectors and index."""

    encoder: TextEncoder
    rows: DocumentRows
    vectors: Vectors
    search: Search
    exact: bool
    name: str

    def __call__(self, queries: Mapping[str, Query], *, depth: int) -> Run:
        """The `depth` documents of the highest similarity for each query."""
        if not queries:
            return Run({}, name=self.name)
        vectors = self.encoder.reader(queries, "query", list(queries))(np.arange(len(queries)))
        found = nearest(self.search, self.vectors, vectors, depth, exact=self.exact)
        lists = {
            query: dict(zip((self.rows.ids[row] for row in rows), scores.tolist(), strict=True))
            for query, (rows, scores) in zip(queries, found, strict=True)
        }
        return Run(lists, name=self.name)


@dataclass(frozen=True)
class DenseRetriever:
    """Retrieval by the vectors of a trained dual model.

    Args:
        model: of `clir train architecture=dual`; the job that uses the retriever loads it into `encoder`.
        index: `flat`, exact; or `ivf`, `hnsw`, `pq`.
        index_settings: further settings of `IndexSettings`.
        shard: `I/N`: encode this share of the documents alone, beside N - 1 other processes.
        cache: folder of the stored vectors; `None` encodes into memory.
        block: documents whose vectors are stored at a time.
        name: of the runs that it makes.
        encoder: the loaded model; a job sets it.
        device, precision: what the job computes the vectors on and in; see `scoring.computing.computing`.
    """

    model: str
    index: Annotated[str, OneOf(INDEXES)] = "flat"
    index_settings: Mapping[str, Any] = field(default_factory=dict)
    shard: str | None = None
    cache: str | None = None
    block: Count = BLOCK
    name: str = "dense"
    encoder: TextEncoder | None = None
    device: str = "auto"
    precision: str | None = None

    def open(self, documents: Mapping[str, Document]) -> DenseSearch:
        """The documents' vectors, encoded unless they are stored, and the index over them.

        Raises `UnfinishedError` when this process's shard is encoded and others are not.
        """
        if self.encoder is None:
            raise ConfigError(f"the model {self.model} is not loaded; give the retriever its encoder")
        settings = IndexSettings(self.index, **self.index_settings)  # complains before the work
        rows = DocumentRows.of(documents)
        reader = self.encoder.reader(documents, "document", rows.ids, self.cache)

        # [N, P]; the key stands for the model and the texts, so that another of either is encoded anew.
        cache = None if self.cache is None else Path(self.cache).expanduser()
        of = f"{of_texts(documents)}; {self.model}"
        key = fingerprint([self.encoder.fingerprint(), rows.fingerprint()])
        if cache is None:
            vectors = reader(np.arange(len(rows.ids)))
        else:
            about = {"of": of, "model": self.model}
            size = (len(rows.ids), self.encoder.width)
            vectors = stored_vectors(
                cache / "vectors" / key, *size, reader, shard=Shard.of(self.shard), block=self.block, about=about
            )

        # Exact search needs no file of its own: it reads the vectors.
        search = open_index(settings, vectors, key=key, cache=cache, of=of)
        log.info("%s: %d documents, index %s", self.name, len(rows.ids), self.index)
        return DenseSearch(self.encoder, rows, vectors, search, self.index == "flat", self.name)

    def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
        """Up to `depth` documents for each query; equal scores by document id, the higher first."""
        return self.open(documents)(queries, depth=depth)
