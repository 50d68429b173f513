"""A first stage for queries of a split and others: the same documents as the retriever finds, indexed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from clir_lightning.data.collection import Collection
from clir_lightning.errors import DataError
from clir_lightning.retrieval.bm25 import LightBM25, LightSearch
from clir_lightning.retrieval.first_stage import FirstStage
from clir_lightning.retrieval.translation import GivenTranslation, LexiconTranslation, NoTranslation
from clir_lightning.types import Document, Query

BM25 = LightBM25(analyser="words")


def test_a_query_of_a_split_is_found_as_with_all_of_them(collection: Collection) -> None:
    """Training queries are translated without the names of their own documents, which q1 and q2 need."""
    translation = LexiconTranslation(names="train")
    first = FirstStage(BM25, translation)
    whole = BM25(collection.documents, translation.queries(collection, "train"), depth=3)
    for query in ("q1", "q2"):
        assert dict(first.of_split(collection, "train", query, depth=3)) == {query: whole[query]}
    own = FirstStage(BM25, LexiconTranslation(names="own"))
    assert list(own.of_split(collection, "test1", "q3", depth=3)["q3"]) == ["c"]


def test_another_split_is_translated_anew(collection: Collection) -> None:
    first = FirstStage(BM25, LexiconTranslation(names="own"))
    assert list(first.of_split(collection, "dev", "q3", depth=3)["q3"]) == ["c"]
    changed = {**collection.splits, "test1": collection.splits["train"]}
    other = replace(collection, splits=changed)
    assert next(iter(first.of_split(other, "test1", "q2", depth=3)["q2"])) == "b"


def test_other_queries_are_translated_as_those_of_no_split(collection: Collection) -> None:
    first = FirstStage(BM25, LexiconTranslation(names="train"))
    run = first(collection, {"x": Query("x", "法语", "zh")}, depth=3)
    assert list(run["x"]) == ["b", "a"]
    assert run.name == first.name == "BM25 (bm25s)"


def test_documents_are_indexed_once(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    index = LightBM25.open

    def count(self: LightBM25, documents: Mapping[str, Document]) -> LightSearch:
        opened.append(len(documents))
        return index(self, documents)

    monkeypatch.setattr(LightBM25, "open", count)
    first = FirstStage(BM25, NoTranslation())
    queries = {"x": Query("x", "тілі", "kk")}
    for _ in range(3):
        assert set(first(collection, queries, depth=3)["x"]) == {"a", "b"}
    assert opened == [4]

    # Other documents are another index.
    few = replace(collection, documents={"a": collection.documents["a"]})
    assert set(first(few, queries, depth=3)["x"]) == {"a"}
    assert opened == [4, 1]


def test_a_retriever_that_keeps_nothing_is_called_each_time(collection: Collection) -> None:
    class Plain:
        name = "plain"

        def __call__(self, documents: Any, queries: Any, *, depth: int) -> Any:
            return BM25(documents, queries, depth=depth)

    found = FirstStage(Plain(), NoTranslation())(collection, {"x": Query("x", "қала", "kk")}, depth=1)
    assert list(found["x"]) == ["d"]


def test_a_file_of_translations_has_none_of_a_typed_query(collection: Collection, tmp_path: Any) -> None:
    (tmp_path / "given.tsv").write_text("q3\tАлматы\n", encoding="utf-8")
    first = FirstStage(BM25, GivenTranslation(str(tmp_path / "given.tsv")))
    assert list(first.of_split(collection, "test1", "q3", depth=3)["q3"]) == ["c"]
    with pytest.raises(DataError, match="'x'"):
        first(collection, {"x": Query("x", "法语", "zh")}, depth=3)
