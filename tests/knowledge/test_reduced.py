"""Graphs without judged statements: nothing of them comes back, all else stays; and graphs with other edges."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.demo import demo_graph, demo_pairs
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.pagerank import personalised
from clir_lightning.knowledge.reduced import judged_pairs, reduce_graph
from clir_lightning.types import Document, Qrels, Query
from knowledge.little_graphs import Entities, little

ENTITIES: Entities = {f"Q{i}": (i, {"zh": f"词{i}", "kk": f'сөз{i} | анықтама | it\'s "{i}"'}) for i in range(1, 8)}
LEFT = [("Q1", "P1", "Q4"), ("Q2", "P1", "Q3"), ("Q4", "P2", "Q5"), ("Q6", "P1", "Q1"), ("Q1", "P9", "Q404")]
JUDGED = [("Q1", "P1", "Q2"), ("Q1", "P2", "Q2"), ("Q3", "P1", "Q1"), ("Q1", "P1", "Q1"), ("Q5", "P1", "Q6")]
GRAPH = little(ENTITIES, LEFT + JUDGED)
PAIRS = {("Q1", "Q2"), ("Q1", "Q3"), ("Q1", "Q1"), ("Q5", "Q6")}
COLLECTION = Collection(
    "little",
    {f"d{i}": Document(f"d{i}", f"сөз{i} — анықтама", "kk") for i in range(1, 8)} | {"x": Document("x", "жоқ", "kk")},
    {
        "train": Split({"a": Query("a", "词5", "zh")}, Qrels({"a": {"d6": 1, "d4": 0}})),
        "dev": Split(
            {"b": Query("b", "词1", "zh"), "c": Query("c", "无", "zh")},
            Qrels({"b": {"d1": 6, "d2": 3, "d3": 1, "d4": 0, "x": 2}, "c": {"d4": 1}}),
        ),
    },
)


def statements(graph: Graph, table: str = "triples") -> list[tuple[str, str, str]]:
    return sorted(graph.rows(f"SELECT subject, property, object FROM {table}"))  # type: ignore[arg-type]


def test_pairs_are_of_relevant_documents_as_both_are_linked() -> None:
    assert judged_pairs(GRAPH, COLLECTION, ["train", "dev"]) == PAIRS
    assert judged_pairs(GRAPH, COLLECTION, ["train"]) == {("Q5", "Q6")}
    assert judged_pairs(GRAPH, COLLECTION, ["dev"], "id") == set()


def test_nothing_of_a_judged_statement_is_left_and_all_else_is(tmp_path: Path) -> None:
    reduced = reduce_graph(GRAPH, tmp_path / "graph", PAIRS)
    assert statements(reduced) == statements(reduced, "incoming") == sorted(LEFT)
    for one, other in PAIRS:
        for order in ("rank", "frequency", "both"):
            assert other not in [neighbour.entity for neighbour in reduced.neighbours(one, 99, order)]
            assert one not in [neighbour.entity for neighbour in reduced.neighbours(other, 99, order)]
    assert reduced.terms(list(ENTITIES)) == GRAPH.terms(list(ENTITIES))
    assert reduced.manifest["condition"] == {"edges": "real", "seed": 1, "pairs": 4, "statements_removed": 5}

    # As a graph that never had these rows: byte for byte its content, its neighbours and its walks.
    never = little(ENTITIES, LEFT)
    assert reduced.fingerprint == never.fingerprint
    for entity in ENTITIES:
        for order in ("rank", "frequency", "both"):
            assert reduced.neighbours(entity, 99, order) == never.neighbours(entity, 99, order)
    seeds = np.arange(len(never))
    np.testing.assert_array_equal(personalised(reduced.triples(), seeds), personalised(never.triples(), seeds))


def test_without_pairs_the_graph_is_the_same(tmp_path: Path) -> None:
    assert reduce_graph(GRAPH, tmp_path / "graph").fingerprint == GRAPH.fingerprint


@pytest.mark.parametrize("edges", ["shuffled", "random"])
def test_other_edges(edges: str, tmp_path: Path) -> None:
    entities: Entities = {f"Q{i}": (0, {"zh": f"词{i}"}) for i in range(40)}
    triples = [(f"Q{i}", f"P{k}", f"Q{(i * k + 7 * k + i) % 40}") for i in range(40) for k in (1, 2, 3)]
    triples = [row for row in triples if row[0] != row[2]]
    graph = little(entities, triples)
    pairs = {(s, o) for s, _, o in triples[:20]}
    closed = pairs | {(o, s) for s, o in pairs}
    left = [row for row in triples if (row[0], row[2]) not in closed]
    one = reduce_graph(graph, tmp_path / "1", pairs, edges=edges, seed=3)
    rows = statements(one)

    # As many as are left, with their subjects and properties; the objects keep their degrees where shuffled.
    assert Counter((s, p) for s, p, _ in rows) == Counter((s, p) for s, p, _ in left)
    assert (Counter(o for *_, o in rows) == Counter(o for *_, o in left)) == (edges == "shuffled")
    assert all(s != o and (s, o) not in closed for s, _, o in rows)
    assert len(set(rows) & set(left)) < len(left) / 3
    assert statements(reduce_graph(graph, tmp_path / "2", pairs, edges=edges, seed=3)) == rows
    assert statements(reduce_graph(graph, tmp_path / "3", pairs, edges=edges, seed=4)) != rows


def test_no_edges_and_unknown_ones(tmp_path: Path) -> None:
    reduced = reduce_graph(GRAPH, tmp_path / "graph", edges="none")
    assert (len(reduced), statements(reduced)) == (7, [])
    with pytest.raises(ConfigError, match="edges is 'any'"):
        reduce_graph(GRAPH, tmp_path / "other", edges="any")


@pytest.mark.slow
def test_the_demos_graph(tmp_path: Path) -> None:
    kept = demo_graph("kept", cache=str(tmp_path))
    assert kept.neighbours("currency:KZT", 3)[0].entity == "territory:KZ"
    assert kept.terms(["currency:KZT"])["currency:KZT"]["kk"].label == "Қазақстан теңгесі"
    assert kept.property_label("money of", "kk") == "Қолданылатын елдер"
    removed = demo_graph(cache=str(tmp_path))
    pairs = demo_pairs()
    closed = pairs | {(other, one) for one, other in pairs}
    assert statements(removed) == [row for row in statements(kept) if (row[0], row[2]) not in closed]
    assert demo_graph(cache=str(tmp_path)).path == removed.path
    with pytest.raises(ConfigError, match="judged is 'gone'"):
        demo_graph("gone", cache=str(tmp_path))


def test_entities_of_one_name_are_one_thing() -> None:
    """Two sources may hold an entity twice: a statement about its namesake gives the answer away as well."""
    twice = {**ENTITIES, "Q9": (0, {"zh": "词2", "kk": "басқа"}), "Q8": (0, {"zh": "另", "kk": "сөз5"})}
    graph = little(twice, LEFT + JUDGED)
    added = {("Q1", "Q9"), ("Q8", "Q6")}
    assert judged_pairs(graph, COLLECTION, ["train", "dev"]) == PAIRS | added
