"""Files of entity labels as rows: who is who, and lines that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.errors import DataError
from clir_lightning.knowledge.card import card, term_table
from clir_lightning.knowledge.graph import Graph, Terms
from clir_lightning.knowledge.labels import rows_of_labels
from clir_lightning.knowledge.merging import merge
from clir_lightning.knowledge.rows import Rows
from clir_lightning.retrieval.lexicon import Lexicon

FIELDS = ("label_zh", "description_zh", "label_kk", "description_kk")
ONE = ["一", "数", "бір", "сан"]
TWO = ["二", "数", "екі", "сан"]
ALMOST = ["二", "字", "екі", "сан"]  # not all as TWO
NAMELESS = [None, "数", "", "сан"]


def line(entity: str, own: list[Any], near: list[list[Any]]) -> dict[str, Any]:
    columns = {name: [texts[place] for texts in near] for place, name in enumerate(FIELDS)}
    return {"q_item_qid": entity, "q_item_info": dict(zip(FIELDS, own, strict=True)), "adj_item_info": columns}


def build(home: Path, lines: list[dict[str, Any]]) -> Graph:
    (home / "parts").mkdir()
    files = []
    for number, row in enumerate(lines):
        files.append(home / f"{number}.jsonl")
        files[-1].write_text(json.dumps(row) + "\n", encoding="utf-8")
    with Rows(home / "parts", 0) as rows:
        rows_of_labels(files, ["zh", "kk"], rows)
    return Graph.open(merge(home / "parts", home / "graph", languages=["zh", "kk"]))


def test_neighbours_are_the_entities_whose_texts_they_have(tmp_path: Path) -> None:
    graph = build(tmp_path, [line("Q1", ONE, [TWO, ALMOST, ALMOST, ONE, NAMELESS]), line("Q2", TWO, [ALMOST])])
    neighbours = graph.neighbours("Q1", 9)
    [made] = [found.entity for found in neighbours if found.entity != "Q2"]
    assert made.startswith("label:")
    assert len(neighbours) == 2  # equal ones once; itself and one without a label are none
    assert [found.entity for found in graph.neighbours("Q2", 9)] == [made, "Q1"]
    assert {found.property for found in neighbours} == {"adjacent"}
    assert graph.terms([made])[made] == {"zh": Terms("二", "字"), "kk": Terms("екі", "сан")}
    assert len(graph) == 3

    # The names of the three as translations: 一 бір, 二 екі of two entities.
    assert list(term_table(graph, "zh", "kk")) == [("一", "бір", 4.0), ("二", "екі", 8.0)]
    assert Lexicon.of(term_table(graph, "zh", "kk")).entries["二"] == (("екі", 1.0),)
    facts = dict(card(graph))
    assert facts["entities with a label in each language"] == "3 (100.0 %)"
    assert facts["neighbours: percentiles 50, 90, 99, 100"] == "2, 2, 2, 2"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"q_item_qid": None}, "q_item_qid is an id"),
        ({"q_item_qid": " "}, "q_item_qid is an id"),
        ({"q_item_info": None}, "no entity labels"),
        ({"q_item_info": {"label_zh": 7}}, "7 is not a text"),
        ({"adj_item_info": {"label_zh": ["a"], "label_kk": []}}, "no entity labels"),
    ],
)
def test_lines_that_are_none(change: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"0.jsonl, line 1: .*{problem}"):
        build(tmp_path, [line("Q1", ONE, []) | change])


def test_no_neighbours(tmp_path: Path) -> None:
    assert build(tmp_path, [line("Q1", ONE, []) | {"adj_item_info": None}]).neighbours("Q1", 3) == []
