"""Pairs' graphs against ones that are put together with sets of names."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.models.pair_graph import (
    FROM_DOCUMENT,
    FROM_QUERY,
    LANGUAGES,
    STATEMENT,
    TO_DOCUMENT,
    TO_QUERY,
    PairGraph,
    kinds,
    pair_graph,
)
from models.graphs_for_tests import drawn, knowledge

Node = tuple[int, int]  # entity and language; (-9, 0) is the pair
PAIR = (-9, 0)
Edge = tuple[Node, Node, int]


def turned(relation: int) -> int:
    """The number of the same relation in the other direction: 1 and 2 belong together, 3 and 4, …."""
    return relation + 1 if relation % 2 else relation - 1


def by_sets(known: KnowledgeBatch, pair: int, relations: int) -> tuple[set[Node], set[Edge]]:
    """A pair's nodes and edges."""
    nodes = {PAIR}
    edges: set[Edge] = set()
    sides = [(known.query, FROM_QUERY, TO_QUERY), (known.document, FROM_DOCUMENT, TO_DOCUMENT)]
    around = [(int(side[pair]), there, back) for side, there, back in sides]
    for row, _, _ in around:
        if row >= 0:
            for entity, texts in zip(known.entities[row].tolist(), known.members[row].tolist(), strict=True):
                nodes |= {(entity, language) for language, text in enumerate(texts) if text >= 0}
    for row, there, back in around:
        if row < 0:
            continue
        centre, *neighbours = known.entities[row].tolist()
        for language in (0, 1):
            edges |= {((centre, language), PAIR, there), (PAIR, (centre, language), back)}
            for neighbour, relation in zip(neighbours, known.relations[row].tolist()[1:], strict=True):
                far, near = (neighbour, language), (centre, language)
                kinds = [STATEMENT + (r % relations if relations else 0) for r in (relation, turned(relation))]
                edges |= {(far, near, kinds[0]), (near, far, kinds[1])}
    edges |= {((entity, one), (entity, 1 - one), LANGUAGES) for entity, one in nodes - {PAIR}}
    return nodes, {edge for edge in edges if edge[0] in nodes and edge[1] in nodes and edge[0] != edge[1]}


def found(known: KnowledgeBatch, graph: PairGraph, pair: int) -> tuple[list[Node], list[Edge]]:
    """The same of a graph made by index arithmetic: nodes that are there, edges that do not lie at the sink."""
    size = graph.texts.shape[1]
    rows = [int(side[pair]) for side in (known.query, known.document)]
    names: dict[int, Node] = {0: PAIR}
    for side, row in enumerate(rows):
        if row >= 0:
            for place, entity in enumerate(known.entities[row].tolist()):
                for language in (0, 1):
                    names[1 + 2 * (side * known.entities.shape[1] + place) + language] = (entity, language)
    there = [names[place] for place, text in enumerate(graph.texts[pair].tolist()) if text >= 0]
    edges = []
    for (source, target), kind in zip(graph.edges.index.T.tolist(), graph.edges.kinds.tolist(), strict=True):
        if source // size == pair and source % size != size - 1:
            assert target // size == pair
            edges.append((names[source % size], names[target % size], kind))
    return [PAIR, *there], edges


@pytest.mark.parametrize("relations", [0, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_nodes_and_edges_are_those_of_sets(seed: int, relations: int) -> None:
    known = drawn(seed)
    graph = pair_graph(known, relations)
    for pair in range(len(known.query)):
        nodes, edges = by_sets(known, pair, relations)
        own_nodes, own_edges = found(known, graph, pair)
        assert len(own_nodes) == len(nodes)
        assert set(own_nodes) == nodes
        assert len(own_edges) == len(edges)  # each once
        assert set(own_edges) == edges
    assert graph.edges.kinds.max() < kinds(relations)
    assert graph.linked.tolist() == [q >= 0 or d >= 0 for q, d in zip(known.query, known.document, strict=True)]


def test_every_edge_stays_within_its_pair_and_what_is_absent_lies_at_the_sink() -> None:
    known = drawn(1)
    graph = pair_graph(known)
    size = graph.texts.shape[1]
    assert graph.edges.nodes == size * len(known.query)
    source, target = graph.edges.index
    assert (source // size == target // size).all()
    assert ((source % size == size - 1) == (target % size == size - 1)).all()
    present = (graph.texts >= 0).flatten()
    present[::size] = True
    assert present[source[source % size != size - 1]].all()


def test_a_node_stands_for_its_text_and_an_entity_of_both_sides_for_one() -> None:
    """Query: 7 with neighbour 8; document: 8 with neighbour 7, whose nodes lie in the query's places."""
    known = knowledge([[(7, 0, 3, -1), (8, 1, 4, 5)], [(8, 0, 4, 5), (7, 2, 3, -1)]], [(0, 1), (1, -1)])
    graph = pair_graph(known, relations=4)
    assert graph.texts.tolist() == [[-1, 0, -1, 1, 2, -1, -1, -1, -1, -1], [-1, 1, 2, 0, -1, -1, -1, -1, -1, -1]]
    assert graph.centres.tolist() == [[[1, 2], [3, 4]], [[1, 2], [5, 6]]]

    # 8 in its two languages; each entity with the pair; the statement once: 1 from 8 to 7, 2 from 7 to 8.
    edges = {(3, 4, LANGUAGES), (4, 3, LANGUAGES), (1, 0, FROM_QUERY), (0, 1, TO_QUERY), (3, 1, STATEMENT + 1)}
    edges |= {(1, 3, STATEMENT + 2), *((place, 0, FROM_DOCUMENT) for place in (3, 4))}
    edges |= {(0, place, TO_DOCUMENT) for place in (3, 4)}
    own = [(s, t, k) for s, t, k in zip(*graph.edges.index.tolist(), graph.edges.kinds.tolist(), strict=True) if s < 9]
    assert len(own) == len(edges)
    assert set(own) == edges


def test_what_stands_behind_minus_one_never_enters() -> None:
    known = drawn(2)
    absent = known.entities < 0
    planted = replace(known, relations=known.relations.masked_fill(absent, 10**9))
    assert torch.equal(pair_graph(planted, 4).edges.index, pair_graph(known, 4).edges.index)
    assert torch.equal(pair_graph(planted, 4).texts, pair_graph(known, 4).texts)


def test_without_any_neighbourhood_each_pair_is_alone() -> None:
    known = knowledge([], [(-1, -1), (-1, -1)], size=3)
    graph = pair_graph(known)
    assert (graph.texts == -1).all()
    assert not graph.linked.any()
    size = graph.texts.shape[1]
    assert (graph.edges.index % size == size - 1).all()
