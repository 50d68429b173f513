"""The BM25 rows: who ranked, what the lexicon knows, what lies below the cut, and how little is kept."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import ConfigError
from clir_lightning.retrieval import baseline
from clir_lightning.retrieval.analysis import Analyser
from clir_lightning.retrieval.baseline import bm25_row, rank, rank_once
from clir_lightning.retrieval.bm25 import LightBM25
from clir_lightning.retrieval.lucene import LuceneBM25
from clir_lightning.types import Document, Qrels, Query, Run

CANDIDATES = Run({"q3": {"d": 3.0, "b": 2.0, "c": 1.0}})


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ConfigError("no")

    monkeypatch.setattr("clir_lightning.retrieval.java.Java.find", missing)


@pytest.mark.slow
def test_the_rows_say_who_ranked_and_what_the_lexicon_knows(collection: Collection) -> None:
    held_out, own = (
        bm25_row(collection, CANDIDATES, train="train", split="dev", own_names=own_names) for own_names in (False, True)
    )
    assert held_out.run.ranking("q3") == ["d", "b", "c"]  # no training query is called 阿拉木图
    assert own.run.ranking("q3") == ["c", "d", "b"]
    assert held_out.notes() == own.notes() == []


def test_without_java_the_rows_are_by_bm25s_in_the_same_order(collection: Collection, no_java: None) -> None:
    rows = [bm25_row(collection, CANDIDATES, train="train", split="dev", own_names=own) for own in (False, True)]
    assert [row.run.name for row in rows] == ["BM25 (bm25s)", "BM25 (bm25s, own names)"]
    assert [row.run.ranking("q3") for row in rows] == [["d", "b", "c"], ["c", "d", "b"]]


def test_training_queries_tested_are_translated_without_their_own_entry(collection: Collection, no_java: None) -> None:
    candidates = Run({"q1": {"d": 3.0, "b": 2.0, "a": 1.0}})
    plain, own = (
        bm25_row(collection, candidates, train="train", split="train", own_names=own).run for own in (False, True)
    )
    assert plain.ranking("q1") == ["d", "b", "a"]
    assert own.ranking("q1")[0] == "a"


def test_candidates_below_the_cut_are_counted_and_stay_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three matching documents the shortest two are hits; c lies below them, d matches nothing."""
    texts = {"a": "қала", "b": "қала тіл", "c": "қала тіл су", "d": "үй"}
    documents = {i: Document(i, text, "kk") for i, text in texts.items()}
    queries: dict[str, Query] = {"q": Query("q", "қала", "kk"), "few": Query("few", "үй", "kk")}
    candidates = Run({"q": {"d": 4.0, "c": 3.0, "b": 2.0, "a": 1.0}, "few": {"d": 1.0, "a": 2.0}})

    whole = rank(LightBM25(), documents, queries, candidates)
    assert whole.run.ranking("q") == ["a", "b", "c", "d"]
    assert whole.below == 0
    monkeypatch.setattr(baseline, "DEEPEST", 2)
    cut = rank(LightBM25(), documents, queries, candidates)
    assert cut.run.ranking("q") == ["a", "b", "d", "c"]
    assert cut.run.ranking("few") == ["d", "a"]
    assert cut.below == 2
    (note,) = cut.notes()
    assert note.startswith("BM25 (bm25s): 2 of 6 candidates are not among the first 2 documents")


def test_a_row_is_searched_for_once_and_anew_where_anything_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"a": "қала", "b": "қала тіл", "c": "қала тіл су", "d": "үй"}
    documents = {i: Document(i, text, "kk") for i, text in texts.items()}
    queries: dict[str, Query] = {"q": Query("q", "қала", "kk")}
    candidates = Run({"q": {"d": 4.0, "c": 3.0, "b": 2.0, "a": 1.0}})
    searches: list[LuceneBM25] = []

    def hits(self: LuceneBM25, *args: Any, **settings: Any) -> Any:
        searches.append(self)
        return LightBM25(k1=self.k1).hits(*args, **settings)

    monkeypatch.setattr(LuceneBM25, "hits", hits)
    monkeypatch.setattr(baseline, "DEEPEST", 2)

    # The second time from the cache, and in the order that other candidates had.
    lucene = LuceneBM25(cache=str(tmp_path))
    expected = rank(LightBM25(), documents, queries, candidates)
    for _ in range(2):
        found = rank_once(lucene, documents, queries, candidates)
        assert found.run.by_query == expected.run.by_query
        assert found.run.name == "BM25 (Lucene)"
        assert found.below == expected.below == 2
    reordered = rank_once(lucene, documents, queries, Run({"q": {"d": 1.0, "c": 2.0, "b": 3.0, "a": 4.0}}))
    assert reordered.run.ranking("q") == ["a", "b", "c", "d"]
    assert len(searches) == 1

    # Each thing that the scores depend on.
    rank_once(replace(lucene, threads=1), documents, queries, candidates)
    assert len(searches) == 1
    rank_once(replace(lucene, k1=1.2), documents, queries, candidates)
    rank_once(lucene, {**documents, "d": Document("d", "су", "kk")}, queries, candidates)
    rank_once(lucene, documents, {"q": Query("q", "тіл", "kk")}, candidates)
    rank_once(lucene, documents, queries, Run({"q": {"d": 4.0, "c": 3.0}}))
    monkeypatch.setattr(baseline, "DEEPEST", 3)
    rank_once(lucene, documents, queries, candidates)
    assert len(searches) == 6
    rank_once(replace(lucene, cache=None), documents, queries, candidates)
    assert len(searches) == 7


@pytest.mark.slow
def test_hits_of_one_query_are_kept_at_a_time() -> None:
    """200 queries of 5,000 hits each are a million pairs, 100 MB; of one query, half a megabyte."""

    class Many:
        name = "many"

        def analyser_of(self, language: str) -> Analyser:
            return Analyser("words", language)

        def hits(
            self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int
        ) -> Iterator[tuple[str, dict[str, float]]]:
            yield from ((query, {f"{query}/{i}": 1.0 + i for i in range(5000)}) for query in queries)

        def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
            return Run(dict(self.hits(documents, queries, depth=depth)))

    names = [str(i) for i in range(200)]
    candidates = Run({name: {f"{name}/7": 1.0, "x": 2.0} for name in names})
    tracemalloc.start()
    try:
        found = rank(Many(), {}, {name: Query(name, "", "kk") for name in names}, candidates)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.run.ranking("199") == ["199/7", "x"]
    assert peak < 10e6


def test_a_language_that_the_table_lacks_is_ranked_by_words(no_java: None) -> None:
    documents = {i: Document(i, text, "xx") for i, text in {"a": "x y — z", "b": "v — w"}.items()}
    split = Split({"q": Query("q", "问", "zh")}, Qrels({"q": {"a": 1}}))
    collection = Collection("odd", documents, {"train": split, "dev": split})
    row = bm25_row(collection, Run({"q": {"b": 2.0, "a": 1.0}}), train="train", split="dev")
    assert row.run.ranking("q") == ["a", "b"]
