"""The table that batches read, against one written out by hand."""

from __future__ import annotations

import os
import pickle
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clir_lightning.data.batches.knowledge import KnowledgeTable
from clir_lightning.data.store.tables import RecordTable, RecordWriter
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge import links as links_module
from clir_lightning.knowledge.documents import document_links
from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.known import GraphKnowledge
from clir_lightning.types import Document, Query
from knowledge.little_graphs import EDGES, LANGUAGES, little

GRAPH = little(LANGUAGES, EDGES)
QUERIES = {
    "1": Query("1", "哈薩克語", "zh"),
    "2": Query("2", "？", "zh"),
    "3": Query("3", "哈萨克斯坦", "zh"),
    "4": Query("4", "哈萨克语", "zh"),
}
DOCUMENTS = {
    "d1": Document("d1", "Алматы — қала", "kk"),
    "d2": Document("d2", "", "kk"),
    "d3": Document("d3", "қазақша", "kk"),
    "d4": Document("d4", "Алматы", "kk"),
}


def number(name: str, incoming: int) -> int:
    return 1 + 2 * (zlib.crc32(name.encode()) % 2**30) + incoming


def texts(table: KnowledgeTable) -> list[str]:
    return [record.text for record in table.texts.values()]


def same(one: KnowledgeTable, other: KnowledgeTable) -> None:
    assert one.languages == other.languages
    assert list(one.texts) == list(other.texts)
    assert texts(one) == texts(other)
    for name in ("members", "entities", "relations"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == np.int64
    assert dict(one.queries) == dict(other.queries)
    assert dict(one.documents) == dict(other.documents)
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize("at_once", [1, 512])
def test_the_table_of_a_little_graph(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clir_lightning.knowledge.neighbourhoods.AT_ONCE", at_once)
    table = GraphKnowledge(GRAPH, neighbours=2).table(QUERIES, DOCUMENTS)

    # Rows: Kazakh and Kazakhstan, which queries name, then Almaty, which documents do.
    assert table.queries == {"1": 0, "3": 1, "4": 0}
    assert table.documents == {"d1": 2, "d3": 0, "d4": 2}
    assert table.languages == ("zh", "kk")
    assert texts(table) == [
        "哈萨克语 — 突厥语言",
        "қазақ тілі — түркі тілі",
        "哈萨克斯坦 — 中亚国家",
        "Қазақстан — мемлекет",
        "阿拉木图 — 城市",
        "Алматы — қала",
    ]

    # Two statements tie Kazakh and Kazakhstan, which are neighbours once: by the own one before the other's.
    assert table.entities.tolist() == [[0, 1, -1], [1, 0, 2], [2, 1, -1]]
    assert table.members.tolist() == [
        [[0, 1], [2, 3], [-1, -1]],
        [[2, 3], [0, 1], [4, 5]],
        [[4, 5], [2, 3], [-1, -1]],
    ]
    assert table.relations.tolist() == [
        [0, number("P17", 0), 0],
        [0, number("P37", 0), number("P17", 1)],
        [0, number("P17", 0), 0],
    ]
    assert table.mass is None


def test_what_has_no_label_in_a_language_has_no_text_in_it() -> None:
    queries = {"1": Query("1", "语", "zh")}
    documents = {"1": Document("1", "қазақ", "kk")}
    table = GraphKnowledge(GRAPH, neighbours=1).table(queries, documents)
    assert texts(table) == ["语 — 说话", "қазақ — адам"]
    assert table.members.tolist() == [[[0, -1], [-1, -1]], [[-1, 1], [-1, -1]]]
    assert (table.queries, table.documents) == ({"1": 0}, {"1": 1})


def test_equal_texts_of_several_entities_are_one() -> None:
    graph = little({"Q1": (2, {"zh": "水星", "kk": "水星"}), "Q2": (1, {"zh": "水星"})}, [("Q1", "P1", "Q2")])
    table = GraphKnowledge(graph, neighbours=1).table({"1": Query("1", "水星", "zh")}, {})
    assert texts(table) == ["水星"]
    assert table.members.tolist() == [[[0, 0], [0, -1]]]
    assert table.entities.tolist() == [[0, 1]]


def test_labels_alone_and_no_neighbours() -> None:
    table = GraphKnowledge(GRAPH, neighbours=0, description=False, languages=["kk"]).table(QUERIES, {})
    assert texts(table) == ["қазақ тілі", "Қазақстан"]
    assert table.members.tolist() == [[[0]], [[1]]]
    assert table.relations.tolist() == [[0], [0]]


@pytest.mark.parametrize("cached", [False, True])
def test_the_mass_of_documents_around_queries(cached: bool, tmp_path: Path) -> None:
    knowledge = GraphKnowledge(GRAPH, neighbours=0, pagerank=True)
    table = knowledge.table(QUERIES, DOCUMENTS, cache=str(tmp_path) if cached else None)

    # Kazakh - Kazakhstan - Almaty: of walks from Kazakh, m = .85 (1 - m) are at Kazakhstan, .85 m / 2 at Almaty and .15
    # more at Kazakh; of those from Kazakhstan 1 / 1.85 are there. No document is about Kazakhstan.
    assert table.mass is not None
    np.testing.assert_allclose(
        table.mass.toarray(),
        np.array(
            [
                [0.15 + 0.85 * (0.85 / 1.85) / 2, 0.0, 0.85 * (0.85 / 1.85) / 2],
                [0.85 / 1.85 / 2, 0.0, 0.85 / 1.85 / 2],
                [0.0, 0.0, 0.0],
            ]
        ),
        atol=1e-6,
    )
    assert table.fingerprint != GraphKnowledge(GRAPH, neighbours=0).table(QUERIES, DOCUMENTS).fingerprint


@pytest.mark.parametrize("pagerank", [False, True])
@pytest.mark.parametrize("queries", [{}, {"2": QUERIES["2"]}])
@pytest.mark.parametrize("documents", [{}, {"d2": DOCUMENTS["d2"]}])
@pytest.mark.parametrize("cached", [False, True])
def test_nothing_linked_is_a_table_of_no_rows(
    queries: Mapping[str, Query], documents: Mapping[str, Document], cached: bool, pagerank: bool, tmp_path: Path
) -> None:
    knowledge = GraphKnowledge(GRAPH, neighbours=3, pagerank=pagerank)
    table = knowledge.table(queries, documents, cache=str(tmp_path) if cached else None)
    assert table.members.shape == (0, 4, 2)
    assert table.entities.shape == table.relations.shape == (0, 4)
    assert (dict(table.queries), dict(table.documents), texts(table)) == ({}, {}, [])
    assert table.languages == ("zh", "kk")


def test_from_the_cache_it_is_the_same_and_nothing_is_looked_up(tmp_path: Path) -> None:
    fresh = GraphKnowledge(GRAPH).table(QUERIES, DOCUMENTS)
    made = GraphKnowledge(GRAPH).table(QUERIES, DOCUMENTS, cache=str(tmp_path))
    same(fresh, made)

    # The graph's name and fingerprint, and no folder behind them.
    gone = Graph(tmp_path / "gone", GRAPH.manifest)
    same(made, GraphKnowledge(gone).table(QUERIES, DOCUMENTS, cache=str(tmp_path)))


def test_records_on_disk_are_linked_as_those_in_memory(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path, "documents")
    for document in DOCUMENTS.values():
        writer.append(document.id, document.text)
    stored = RecordTable.open(tmp_path, "documents", "kk", writer.close(), Document)

    table = GraphKnowledge(GRAPH).table(QUERIES, stored)
    expected = GraphKnowledge(GRAPH).table(QUERIES, DOCUMENTS)
    same(replace(table, fingerprint=expected.fingerprint), expected)
    assert [table.documents.get(name, -1) for name in ("d1", "d2", "d9")] == [2, -1, -1]
    assert ("d3" in table.documents, "d2" in table.documents, len(table.documents)) == (True, False, 3)


def test_splits_of_a_collection_link_its_documents_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*args: Any) -> Any:
        calls.append(args)
        return document_links(*args)

    monkeypatch.setattr(links_module, "document_links", counted)
    knowledge = GraphKnowledge(GRAPH)
    for query in QUERIES.values():
        knowledge.table({query.id: query}, DOCUMENTS, cache=str(tmp_path))
    assert len(calls) == 1


def test_an_id_in_two_splits_for_two_texts_is_linked_by_each_text(tmp_path: Path) -> None:
    knowledge = GraphKnowledge(GRAPH, neighbours=0, description=False)
    for text, label in [("哈萨克语", "哈萨克语"), ("阿拉木图", "阿拉木图"), ("哈萨克语", "哈萨克语")]:
        table = knowledge.table({"1": Query("1", text, "zh")}, {}, cache=str(tmp_path))
        assert texts(table)[table.members[table.queries["1"], 0, 0]] == label


def test_the_fingerprint_tells_texts_graphs_and_settings_apart() -> None:
    other = little({**LANGUAGES, "Q5": (1, {"zh": "五"})}, EDGES)
    renamed = {"d9" if name == "d1" else name: record for name, record in DOCUMENTS.items()}
    tables = [
        GraphKnowledge(GRAPH).table(QUERIES, DOCUMENTS),
        GraphKnowledge(other).table(QUERIES, DOCUMENTS),
        GraphKnowledge(GRAPH, neighbours=2).table(QUERIES, DOCUMENTS),
        GraphKnowledge(GRAPH, order="rank").table(QUERIES, DOCUMENTS),
        GraphKnowledge(GRAPH, description=False).table(QUERIES, DOCUMENTS),
        GraphKnowledge(GRAPH, documents="none").table(QUERIES, DOCUMENTS),
        GraphKnowledge(GRAPH, languages=["kk", "zh"]).table(QUERIES, DOCUMENTS),
        GraphKnowledge(GRAPH).table({"1": QUERIES["1"]}, DOCUMENTS),
        GraphKnowledge(GRAPH).table(QUERIES, renamed),
    ]
    assert len({table.fingerprint for table in tables}) == len(tables)
    assert tables[0].fingerprint == GraphKnowledge(GRAPH).table(QUERIES, DOCUMENTS).fingerprint


def test_knowledge_and_table_travel_to_another_process(tmp_path: Path) -> None:
    knowledge = GraphKnowledge(GRAPH)
    for cache in (None, str(tmp_path)):
        table = knowledge.table(QUERIES, DOCUMENTS, cache=cache)
        same(table, pickle.loads(pickle.dumps(table)))
    same(table, pickle.loads(pickle.dumps(knowledge)).table(QUERIES, DOCUMENTS))


def test_a_damaged_cache_is_an_error_that_says_what_to_delete(tmp_path: Path) -> None:
    GraphKnowledge(GRAPH).table(QUERIES, DOCUMENTS, cache=str(tmp_path))
    (members,) = tmp_path.glob("knowledge/table-*/members.npy")
    os.truncate(members, 10)
    with pytest.raises(Exception, match=r"members\.npy.*delete the folder"):
        GraphKnowledge(GRAPH).table(QUERIES, DOCUMENTS, cache=str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"neighbours": -1}, "knowledge.neighbours is -1; allowed: 0 or more"),
        ({"order": "ranks"}, "did you mean 'rank'"),
        ({"documents": "title"}, "knowledge.documents is 'title'"),
        ({"languages": []}, "knowledge.languages is empty"),
        ({"languages": ["zh", "tr"]}, "none in 'tr'"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        GraphKnowledge(GRAPH, **settings)  # type: ignore[arg-type]


def test_a_language_that_the_graph_lacks_is_an_error() -> None:
    with pytest.raises(ConfigError, match="none in 'tr'"):
        GraphKnowledge(GRAPH).table({"1": Query("1", "dil", "tr")}, DOCUMENTS)
