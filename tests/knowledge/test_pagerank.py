"""Personalised PageRank, held against networkx, and the ranking by it."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge import pagerank
from clir_lightning.knowledge.adjacency import Triples
from clir_lightning.knowledge.pagerank import mass_between, personalised
from clir_lightning.knowledge.walks import rank_by_walks
from clir_lightning.types import Document, Qrels, Query, Run
from knowledge.little_graphs import little

COUNT = 25


def random_triples() -> Triples:
    generator = np.random.default_rng(2)
    subjects, objects = generator.integers(0, COUNT - 2, (2, 60)).astype(np.int32)  # two entities have no statement
    ranks = generator.integers(0, 3, 60).astype(np.int32)
    return Triples([f"Q{i:02}" for i in range(COUNT)], ["P1"], subjects, objects, np.zeros(60, np.int32), ranks)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("damping", [0.5, 0.85])
def test_as_networkx(directed: bool, damping: float, monkeypatch: pytest.MonkeyPatch) -> None:
    triples = random_triples()
    edges = zip(triples.subjects.tolist(), triples.objects.tolist(), triples.ranks.tolist(), strict=True)
    graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(COUNT))
    graph.add_edges_from((s, o) for s, o, rank in edges if rank and s != o)
    seeds = np.arange(COUNT)
    monkeypatch.setattr(pagerank, "MEMORY", 7 * COUNT)  # blocks of seven
    found = personalised(triples, seeds, damping=damping, directed=directed)
    for seed in seeds.tolist():
        expected = nx.pagerank(graph, damping, {seed: 1}, max_iter=1000, tol=1e-12)
        assert found[seed].tolist() == pytest.approx([expected[i] for i in range(COUNT)], abs=1e-8)
    wanted = np.array([3, 24, 3])
    np.testing.assert_array_equal(
        personalised(triples, seeds, wanted, damping=damping, directed=directed), found[:, wanted]
    )


def test_two_entities_by_hand() -> None:
    # Of a walk a — b from a: x = .15 + .85 y, y = .85 x, so x = .15 / (1 - .85²); c is out of reach.
    graph = little({name: (0, {"zh": name}) for name in "abc"}, [("b", "P1", "a")])
    x = 0.15 / (1 - 0.85**2)
    found = mass_between(graph, ["a", "c"], ["a", "b", "c"])
    np.testing.assert_allclose(found, np.array([[x, 0.85 * x, 0.0], [0.0, 0.0, 1.0]]), atol=1e-8)
    assert mass_between(graph, [], ["a"]).shape == (0, 1)
    with pytest.raises(KeyError, match="Q5"):
        mass_between(graph, ["a"], ["Q5"])
    with pytest.raises(ConfigError, match="damping is 1"):
        mass_between(graph, ["a"], ["a"], damping=1)


def test_candidates_by_the_mass_of_their_entities() -> None:
    graph = little({f"Q{i}": (0, {"zh": f"词{i}", "kk": f"сөз{i}"}) for i in "123"}, [("Q1", "P1", "Q2")])
    documents = {f"d{i}": Document(f"d{i}", f"сөз{i} — x", "kk") for i in "1234"}
    queries = {"a": Query("a", "词1", "zh"), "b": Query("b", "无", "zh"), "c": Query("c", "词1", "zh")}
    split = Split(queries, Qrels({query: {"d1": 1} for query in queries}))
    collection = Collection("little", documents, {"dev": split})
    run = Run({"a": dict.fromkeys(documents, 5.0), "b": {"d1": 7.0}, "c": {"d2": 1.0}})
    walked = rank_by_walks(graph, collection, "dev", run)
    x = 0.15 / (1 - 0.85**2)
    assert walked.run["a"] == pytest.approx({"d1": x, "d2": 0.85 * x, "d3": 0, "d4": 0}, abs=1e-8)
    assert walked.run["b"] == {"d1": 0.0}
    assert walked.run["c"] == pytest.approx({"d2": 0.85 * x}, abs=1e-8)
    assert (walked.queries, walked.documents) == (2, 3)
