"""Queries with the Kazakh label behind them: which get one, and what stays of the collection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.labelled import label_queries
from clir_lightning.types import Document, Qrels, Query, Run
from knowledge.little_graphs import EDGES, LANGUAGES, little

GRAPH = little({**LANGUAGES, "Q8": (2, {"zh": "CD", "kk": "CD"})}, EDGES)
DOCUMENTS = {"d": Document("d", "Алматы", "kk")}


def split(texts: Mapping[str, str], run: Run | None = None) -> Split:
    queries = {name: Query(name, text, "zh") for name, text in texts.items()}
    return Split(queries, Qrels({name: {"d": 1} for name in texts}), run)


def collection(key: str = "") -> Collection:
    train = {"1": "哈薩克語", "2": "去阿拉木图", "3": "？", "4": "语", "5": "CD"}
    test = split({"1": "阿拉木图"}, Run({"1": {"d": 2.0}}))
    return Collection("c", DOCUMENTS, {"train": split(train), "test": test}, key=key)


@pytest.mark.parametrize("key", ["", "k"])
def test_a_linked_query_gets_its_label_and_nothing_else_changes(key: str, tmp_path: Path) -> None:
    labelled = label_queries(collection(key), GRAPH, cache=str(tmp_path))
    assert {name: query.text for name, query in labelled.split("train").queries.items()} == {
        "1": "哈薩克語 қазақ тілі",
        "2": "去阿拉木图 Алматы",
        "3": "？",
        "4": "语",  # its entity has no Kazakh label
        "5": "CD",  # has the same one
    }

    # An id of two splits is each split's own.
    test = labelled.split("test")
    assert [query.text for query in test.queries.values()] == ["阿拉木图 Алматы"]
    assert test.run is not None
    assert (dict(test.run["1"]), dict(test.qrels["1"])) == ({"d": 2.0}, {"d": 1})
    assert [document.text for document in labelled.documents.values()] == ["Алматы"]
    assert (labelled.query_language, labelled.document_language) == ("zh", "kk")

    # Kept on disk only where the collection itself is.
    assert tmp_path.joinpath("collections").is_dir() == bool(key)
    assert bool(labelled.key) == bool(key)


def test_another_graph_makes_other_queries(tmp_path: Path) -> None:
    other = little({"Q5": (1, {"zh": "阿拉木图", "kk": "Алма-Ата"})})
    for graph, label in [(GRAPH, "Алматы"), (other, "Алма-Ата"), (GRAPH, "Алматы")]:
        labelled = label_queries(collection("k"), graph, cache=str(tmp_path))
        assert labelled.split("test").queries["1"].text == f"阿拉木图 {label}"


def test_a_graph_without_the_documents_language_is_an_error() -> None:
    with pytest.raises(ConfigError, match="none in 'kk'"):
        label_queries(collection(), little({"Q5": (1, {"zh": "阿拉木图"})}, languages=["zh", "en"]))
