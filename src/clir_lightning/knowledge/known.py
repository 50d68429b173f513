"""`GraphKnowledge`: what a graph knows of queries and documents, as the table that batches read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.batches.knowledge import KnowledgeTable
from clir_lightning.data.store.folders import build_once, fingerprint
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.adjacency import ORDERS
from clir_lightning.knowledge.documents import WAYS
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Linker, language_of
from clir_lightning.knowledge.links import Links, entities_of_documents, query_links, rows_by_id
from clir_lightning.knowledge.mass import mass_table
from clir_lightning.knowledge.neighbourhoods import Around, read_neighbourhoods
from clir_lightning.settings.markers import Natural, OneOf
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Document, Query

FORMAT = "1"  # of the tables kept; another number makes them anew


@dataclass(frozen=True)
class GraphKnowledge:
    """The neighbourhoods of the entities that queries and documents name (`Linker`, `link_documents`).

    Each entity comes with `neighbours` others at most and with its text in each language, "label — description". For a
    million documents with an entity each, 8 neighbours and a cache, that is 2.7 GB while it is made, in 26 minutes on
    one core, and then 470 MB of files mapped into memory, all measured on a tenth of it.

    Args:
        graph: where they are looked up.
        neighbours: of an entity; 0 for the entity alone.
        order: which neighbours come first: `rank`, by the statements' rank and property; `frequency`, by how common the
            property is; `both`, those with terms in both languages.
        description: whether texts have descriptions, or labels alone.
        pagerank: whether pairs get the document's mass in a personalised PageRank from the query's entity.
        documents: `auto`, `id`, `text` or `none`: how documents are linked.
        languages: of the texts; `None` for those of the queries and of the documents.
    """

    graph: Graph
    neighbours: Natural = 8
    order: Annotated[str, OneOf(ORDERS)] = "both"
    description: bool = True
    pagerank: bool = False
    documents: Annotated[str, OneOf(WAYS)] = "auto"
    languages: Sequence[str] | None = None
    _linkers: dict[str, Linker] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self, "knowledge")
        if self.languages is not None and not self.languages:
            raise ConfigError("knowledge.languages is empty; null takes the queries' and the documents' language")
        for language in self.languages or ():
            language_of(self.graph, language)

    def table(
        self, queries: Mapping[str, Query], documents: Mapping[str, Document], *, cache: str | None = None
    ) -> KnowledgeTable:
        """What the graph knows of them, the same each time; from the cache if it has it.

        Links of queries and of documents are kept apart from the tables: the splits of a collection share the latter.
        """
        of_queries = self._query_links(queries, cache)
        of_documents = self._document_links(documents, cache)
        languages = self._languages(queries, documents)
        settings = (languages, self.neighbours, self.order, self.description, self.pagerank)
        key = fingerprint([FORMAT, self.graph.fingerprint, repr(settings), of_queries.key, of_documents.key])

        # [E]: linked entities in the order of the queries that name them, then of the documents.
        names = list(dict.fromkeys([*of_queries.entities, *of_documents.entities]))
        around = self._around(names, of_queries, of_documents, languages, key, cache)

        # Texts have the rows of their entities.
        return KnowledgeTable(
            languages,
            around.texts,
            around.members,
            around.entities,
            around.relations,
            rows_by_id(queries, _rows(of_queries, names)),
            rows_by_id(documents, _rows(of_documents, names)),
            around.mass,
            key,
        )

    def _query_links(self, queries: Mapping[str, Query], cache: str | None) -> Links:
        if not queries:
            return Links([], np.zeros(0, np.int64), "")
        language = next(iter(queries.values())).language
        if language not in self._linkers:  # kept: a ranker asks for few queries many times
            self._linkers[language] = Linker(self.graph, language)
        return query_links(self._linkers[language], queries, cache)

    def _document_links(self, documents: Mapping[str, Document], cache: str | None) -> Links:
        if not documents or self.documents == "none":
            return Links([], np.full(len(documents), -1, np.int64), "")
        language = next(iter(documents.values())).language
        return entities_of_documents(self.graph, documents, language, self.documents, cache)

    def _languages(self, queries: Mapping[str, Query], documents: Mapping[str, Document]) -> tuple[str, ...]:
        """Those of the texts: the queries' and the documents'; where either are none, one more of the graph."""
        if self.languages is not None:
            return tuple(language_of(self.graph, language) for language in self.languages)
        query = next(iter(queries.values()), None)
        document = next(iter(documents.values()), None)
        codes = [language_of(self.graph, record.language) if record else None for record in (query, document)]
        others = (code for code in self.graph.languages if code not in codes)
        return tuple(code if code is not None else next(others, self.graph.languages[0]) for code in codes)

    def _around(
        self,
        names: Sequence[str],
        of_queries: Links,
        of_documents: Links,
        languages: tuple[str, ...],
        key: str,
        cache: str | None,
    ) -> Around:
        """The neighbourhoods of these entities, from the cache if it has them."""

        def found() -> Around:
            settings = (languages, self.neighbours, self.order, self.description)
            around = read_neighbourhoods(self.graph, names, *settings)
            if not self.pagerank:
                return around
            return replace(around, mass=mass_table(self.graph, names, of_queries.entities, of_documents.entities))

        if cache is None:
            return found()
        folder = Path(cache).expanduser() / "knowledge" / f"table-{key}"
        of = f"{len(names):,} entities, {'-'.join(languages)}; {self.graph.path}"
        return Around.open(build_once(folder, lambda place: {**found().write(place), "of": of}))


def _rows(links: Links, names: Sequence[str]) -> NDArray[np.int64]:
    """The row of each text's entity among all of them, -1 for a text without."""
    rows = {name: row for row, name in enumerate(names)}
    of_link = np.asarray([*(rows[entity] for entity in links.entities), -1], np.int64)
    return of_link[links.rows]
