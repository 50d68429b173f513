"""The entity of each text, found once and kept: by the texts' places, since ids mean other texts in another split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.store.columns import HashIndex, StringColumn, StringWriter
from clir_lightning.data.store.folders import build_once, fingerprint, read_manifest
from clir_lightning.data.store.tables import RecordTable
from clir_lightning.data.store.telling import of_texts
from clir_lightning.data.tokens.table import texts_fingerprint
from clir_lightning.knowledge.documents import document_links
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Linker
from clir_lightning.progress import Progress
from clir_lightning.types import Document, Query

FORMAT = "1"  # of what is kept here; another number finds it all anew
AT_ONCE = 1024  # queries a look-up


@dataclass(frozen=True)
class Links:
    """The entities of texts: `rows` has a place in `entities` for each text, -1 for one without; `[texts]`."""

    entities: Sequence[str]
    rows: NDArray[np.int64]
    key: str


@dataclass(frozen=True)
class RowsById(Mapping[str, int]):
    """The row of each linked text by its id, over the index of a table on disk: no Python object per text."""

    index: HashIndex
    rows: NDArray[np.int64]  # by the text's place, -1 for one without

    def __getitem__(self, text_id: str) -> int:
        place = self.index.find(text_id)
        row = int(self.rows[place]) if place >= 0 else -1
        if row < 0:
            raise KeyError(text_id)
        return row

    def __iter__(self) -> Iterator[str]:
        return (self.index.ids[place] for place in np.flatnonzero(self.rows >= 0).tolist())

    def __len__(self) -> int:
        return int((self.rows >= 0).sum())


def rows_by_id(records: Mapping[str, Query] | Mapping[str, Document], rows: NDArray[np.int64]) -> Mapping[str, int]:
    """The row of each record that has one, by its id; `rows` are in the records' order."""
    if isinstance(records, RecordTable):
        return RowsById(records.index, rows)
    return {text_id: row for text_id, row in zip(records, rows.tolist(), strict=True) if row >= 0}


def query_links(linker: Linker, queries: Mapping[str, Query], cache: str | None) -> Links:
    """The best link of each query's text."""
    key = fingerprint(["queries", FORMAT, linker.graph.fingerprint, linker.language, texts_fingerprint(queries)])

    def entities() -> Iterator[str | None]:
        records = iter(queries.values())
        with Progress("linking queries", "texts", len(queries)) as progress:
            while part := [query.text for query in islice(records, AT_ONCE)]:
                for links in linker.links(part):
                    yield links[0].entity if links else None
                progress.advance(len(part))

    return _kept(entities, key, cache, f"{of_texts(queries)}; {linker.graph.path}")


def entities_of_documents(
    graph: Graph, documents: Mapping[str, Document], language: str, by: str, cache: str | None
) -> Links:
    """The link of each document, by `documents.link_documents`'s rules."""
    texts = texts_fingerprint(documents)
    ids = fingerprint(documents) if by in ("auto", "id") else ""
    key = fingerprint(["documents", FORMAT, graph.fingerprint, language, by, texts, ids])

    def entities() -> Iterator[str | None]:
        for _, link in document_links(graph, documents, language, by):
            yield link.entity if link else None

    return _kept(entities, key, cache, f"{of_texts(documents)}; {graph.path}")


def _kept(entities: Callable[[], Iterable[str | None]], key: str, cache: str | None, of: str) -> Links:
    """The entities in the order given, from the cache if it has them; `of` tells people what they are of."""

    def found() -> tuple[list[str], NDArray[np.int64]]:
        places: dict[str, int] = {}
        rows = [-1 if entity is None else places.setdefault(entity, len(places)) for entity in entities()]
        return list(places), np.asarray(rows, np.int64)

    if cache is None:
        return Links(*found(), key)

    def build(folder: Path) -> dict[str, Any]:
        names, rows = found()
        column = StringWriter(folder, "entities")
        for name in names:
            column.append(name)
        column.close()
        np.save(folder / "rows.npy", rows)
        return {"kind": "links", "of": of}

    # The first process to come finds them, the others wait.
    folder = build_once(Path(cache).expanduser() / "knowledge" / f"links-{key}", build)
    read_manifest(folder)
    return Links(list(StringColumn.open(folder, "entities")), np.load(folder / "rows.npy"), key)
