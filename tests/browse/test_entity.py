"""Entities of texts and the ways between them, in a graph drawn by hand."""

from __future__ import annotations

from typing import Any

import pytest

from clir_lightning.browse.entity import Entities, way
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.graph import Neighbour
from clir_lightning.types import Document, Query
from knowledge.little_graphs import little

NAMES = {
    "A": (3, {"zh": "阿 | 第一 | 啊", "kk": "а | бірінші"}),
    "B": (2, {"zh": "波", "kk": "бэ"}),
    "C": (1, {"zh": "茨", "kk": "вэ"}),
    "D": (0, {"zh": "德", "kk": "гэ"}),
    "E": (0, {"zh": "额", "kk": "дэ"}),
    "F": (0, {"zh": "夫", "kk": "е"}),
    "Z": (0, {"zh": "孤", "kk": "жалғыз"}),
}
# A → B → C ← D → E → F in a row; Z stands alone.
ROW: list[tuple[str, str, str]] = [
    ("A", "P1", "B"),
    ("B", "P2", "C"),
    ("D", "P3", "C"),
    ("D", "P4", "E"),
    ("E", "P5", "F"),
]


@pytest.fixture(scope="module")
def graph() -> Any:
    return little(NAMES, ROW)


def test_a_way_is_the_shortest_with_the_direction_of_each_statement(graph: Any) -> None:
    assert way(graph, "A", "D") == [
        Neighbour("B", "P1", True),
        Neighbour("C", "P2", True),
        Neighbour("D", "P3", False),
    ]
    assert way(graph, "D", "A") == [
        Neighbour("C", "P3", True),
        Neighbour("B", "P2", False),
        Neighbour("A", "P1", False),
    ]


def test_ways_of_no_step_of_four_and_of_too_many(graph: Any) -> None:
    assert way(graph, "A", "A") == []
    assert [step.entity for step in way(graph, "A", "E") or []] == ["B", "C", "D", "E"]
    assert way(graph, "A", "F") is None
    assert [step.entity for step in way(graph, "A", "F", steps=5) or []] == ["B", "C", "D", "E", "F"]
    assert way(graph, "A", "Z") is None


def test_the_shorter_of_two_ways_is_taken() -> None:
    short = little(NAMES, [*ROW, ("A", "P9", "D")])
    assert way(short, "A", "E") == [Neighbour("D", "P9", True), Neighbour("E", "P4", True)]


def test_entities_of_query_and_document_have_names_and_neighbours(graph: Any) -> None:
    known = Entities(graph)
    of_query = known.of_query(Query("q", "啊", "zh"))
    assert of_query is not None
    assert (of_query.id, of_query.rule) == ("A", "alias")
    assert (of_query.names["zh"].label, of_query.names["kk"].description) == ("阿", "бірінші")
    assert [(edge.entity, edge.label, edge.outgoing) for edge in of_query.around] == [("B", "P1", True)]
    assert of_query.around[0].names["kk"].label == "бэ"

    of_document = known.of_document(Document("C", "нәрсе", "kk"))
    assert of_document is not None
    assert (of_document.id, of_document.rule) == ("C", "id")
    assert {(edge.entity, edge.outgoing) for edge in of_document.around} == {("B", False), ("D", False)}
    by_text = known.of_document(Document("doc", "дэ — бір нәрсе", "kk"))
    assert by_text is not None
    assert by_text.id == "E"


def test_a_text_that_names_nothing_has_no_entity_and_a_foreign_language_is_told(graph: Any) -> None:
    known = Entities(graph)
    assert known.of_query(Query("q", "xyz", "zh")) is None
    assert known.of_document(Document("doc", "xyz", "kk")) is None
    with pytest.raises(ConfigError, match="none in 'ur'"):
        known.of_query(Query("q", "xyz", "ur"))


def test_the_way_of_entities_has_names(graph: Any) -> None:
    found = Entities(graph).way("A", "C")
    assert found is not None
    assert [(edge.names["zh"].label, edge.label, edge.outgoing) for edge in found] == [
        ("波", "P1", True),
        ("茨", "P2", True),
    ]
