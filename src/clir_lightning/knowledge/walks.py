"""Candidates ranked by the graph alone: where walks from the query's entity end (`knowledge.pagerank`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clir_lightning.data.collection import Collection
from clir_lightning.knowledge.documents import link_documents
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.linking import Linker
from clir_lightning.knowledge.pagerank import masses
from clir_lightning.progress import Progress
from clir_lightning.types import Run


@dataclass(frozen=True)
class Walked:
    """A ranked run, how many of its queries name an entity, and how many of its documents have one."""

    run: Run
    queries: int
    documents: int


def rank_by_walks(
    graph: Graph,
    collection: Collection,
    split: str,
    run: Run,
    *,
    documents: str = "auto",
    damping: float = 0.85,
    directed: bool = False,
) -> Walked:
    """The candidates of a run with the mass of their entity as score.

    A document without an entity, or out of the query's entity's reach, gets 0, and so does every document of a query
    that names no entity: of these the run says nothing, and `clir fuse method=combsum` leaves their order to others.

    Args:
        graph: the walks are in.
        collection: the texts of queries and documents.
        split: the queries'.
        run: the candidates; their scores are not used.
        documents: how they are linked (`link_documents`).
        damping: the chance that a walk goes on.
        directed: whether it only goes from subject to object.
    """
    queries = [collection.split(split).queries[query] for query in run]
    links = Linker(graph, collection.query_language).links([query.text for query in queries])
    entities = {query.id: found[0].entity for query, found in zip(queries, links, strict=True) if found}
    candidates = dict.fromkeys(document for scores in run.values() for document in scores)
    records = {document: collection.documents[document] for document in candidates}
    linked = link_documents(graph, records, collection.document_language, documents)

    # [S] seeds, each walked from once; [W] the entities that are asked for.
    seeds = list(dict.fromkeys(entities.values()))
    wanted = {entity: place for place, entity in enumerate(dict.fromkeys(linked.values()))}
    places = {document: wanted[entity] for document, entity in linked.items()}
    asking: dict[str, list[str]] = {}
    for query, entity in entities.items():
        asking.setdefault(entity, []).append(query)

    # Each query's candidates, when its walk has ended.
    ranked = {query: dict.fromkeys(scores, 0.0) for query, scores in run.items()}
    blocks = masses(graph.triples(), graph.numbers(seeds), graph.numbers(wanted), damping, directed)
    with Progress("walking the graph", "entities", len(seeds)) as progress:
        for first, block in blocks:
            for entity, mass in zip(seeds[first : first + len(block)], block, strict=True):
                for query in asking[entity]:
                    ranked[query] = _scores(ranked[query], places, mass)
            progress.advance(len(block))
    return Walked(Run(ranked, "pagerank"), len(entities), len(linked))


def _scores(candidates: Mapping[str, float], places: Mapping[str, int], mass: np.ndarray) -> dict[str, float]:
    """The mass at each candidate's entity, 0 where it has none."""
    return {document: float(mass[places[document]]) if document in places else 0.0 for document in candidates}
