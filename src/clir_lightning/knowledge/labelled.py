"""Queries with a label of their entity behind them: what a graph's labels do as plain text, without a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.sources.checks import Problems
from clir_lightning.data.sources.source import Source, load
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Linker, language_of
from clir_lightning.types import Query, Run

AT_ONCE = 1024  # queries a look-up


def labelled_queries(linker: Linker, queries: Mapping[str, Query], language: str) -> Iterator[tuple[str, str]]:
    """Each query's id and text, with the label in `language` of the entity that it names best behind the text.

    A query stays as it is where it names no entity, or one without such a label or with the text itself as label.
    """
    records = iter(queries.items())
    while part := list(islice(records, AT_ONCE)):
        best = [links[0].entity if links else "" for links in linker.links([query.text for _, query in part])]
        terms = linker.graph.terms(sorted({entity for entity in best if entity}))
        for (query_id, query), entity in zip(part, best, strict=True):
            known = terms.get(entity, {}).get(language)
            new = known is not None and known.label not in ("", query.text)
            yield query_id, f"{query.text} {known.label}" if new and known is not None else query.text


def label_queries(collection: Collection, graph: Graph, *, cache: str | None = None) -> Collection:
    """The collection with the queries of all splits as `labelled_queries` writes them, in the documents' language.

    Args:
        collection: whose documents and judgements stay as they are.
        graph: what queries are linked to, by the rules of `Linker`.
        cache: folder that the collection is prepared in, once; used if it is prepared itself.

    Raises `ConfigError` if the graph lacks one of the two languages.
    """
    linker = Linker(graph, collection.query_language)
    language = language_of(graph, collection.document_language)
    labelled = Source(
        name=f"{collection.name}, queries with labels",
        query_language=collection.query_language,
        document_language=collection.document_language,
        documents=partial(_documents, collection),
        splits={name: partial(_queries, linker, split, language) for name, split in collection.splits.items()},
        runs={name: partial(_run, split.run) for name, split in collection.splits.items() if split.run is not None},
    )
    stamps = ["labelled", collection.key, graph.fingerprint]
    return load(labelled, Problems(), stamps=stamps, settings="", cache=cache if collection.key else None)


def _documents(collection: Collection) -> Iterator[tuple[str, str]]:
    yield from ((document_id, document.text) for document_id, document in collection.documents.items())


def _queries(linker: Linker, split: Split, language: str) -> Iterator[tuple[str, str, dict[str, int]]]:
    for query_id, text in labelled_queries(linker, split.queries, language):
        yield query_id, text, dict(split.qrels[query_id])


def _run(run: Run) -> Run:
    return run
