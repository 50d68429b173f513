"""RM3 against the formula in NumPy, with its own terms untouched."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.bm25 import LightBM25
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.retrieval.expansion import RM3
from clir_lightning.retrieval.java import Java
from clir_lightning.retrieval.lucene import LuceneBM25
from clir_lightning.retrieval.retriever import TermRetriever, WeightedQuery
from clir_lightning.types import Document, Query


def _java() -> bool:
    try:
        return bool(Java.find())
    except ConfigError:
        return False


needs_java = pytest.mark.skipif(not _java(), reason="the extra `lucene` is not installed")
BOTH = ["light", pytest.param("lucene", marks=[needs_java, pytest.mark.slow])]

TEXTS = {
    "a": "қазақстандағы қалалар",
    "b": "қазақстандағы ауылдар тізімі",
    "c": "қалалар мен ауылдар",
    "d": "тізім мен сөздік",
    "e": "француз сөздігі",
}


def documents(texts: Mapping[str, str], language: str = "kk") -> dict[str, Document]:
    return {i: Document(i, text, language) for i, text in texts.items()}


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where each index is built once."""
    return str(tmp_path_factory.mktemp("indexes"))


def retriever_of(kind: str, analyser: str, indexes: str) -> TermRetriever:
    return LightBM25(analyser=analyser) if kind == "light" else LuceneBM25(analyser=analyser, cache=indexes)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("analyser", ["prefix5+ngram4", "ngram4", "words"])
def test_rm3_with_lambda_1_is_the_original_query(kind: str, analyser: str, indexes: str) -> None:
    """Once analysed, қазақ is not a word to take 4-grams of; weights of 1 : 3 are not rounded to 33 : 100."""
    queries: dict[str, Query] = {
        "plain": Query("plain", "қазақстандағы тізімдер", "kk"),
        "whole": WeightedQuery("whole", "", "kk", (("қалалар", 1.0), ("сөздік", 3.0))),
        "parts": WeightedQuery("parts", "", "kk", (("қалалар", 0.3), ("сөздік", 0.7))),
    }
    retriever = retriever_of(kind, analyser, indexes)
    plain = retriever(documents(TEXTS), queries, depth=10)
    assert RM3(retriever, original=1.0)(documents(TEXTS), queries, depth=10).by_query == plain.by_query


@pytest.mark.parametrize("kind", BOTH)
def test_rm3_is_the_formula_in_numpy(kind: str, indexes: str) -> None:
    """Scores with RM3 are Σ_t weight(t) · BM25 of t alone, with the weights of Lavrenko and Croft."""
    texts, retriever = documents(TEXTS), retriever_of(kind, "words", indexes)
    asked, original, count = "қалалар", 0.4, 3
    first = retriever(texts, {"q": Query("q", asked, "kk")}, depth=2)["q"]
    assert set(first) == {"a", "c"}

    vocabulary = sorted({word for text in TEXTS.values() for word in text.split()})
    counts = np.array([[TEXTS[i].split().count(word) for word in vocabulary] for i in first], float)  # [D, V]
    of_word = counts / counts.sum(axis=1, keepdims=True)
    of_document = np.array(list(first.values())) / sum(first.values())
    model = of_document @ of_word
    model[np.argsort(-model, kind="stable")[count:]] = 0
    weights = original * np.array([word == asked for word in vocabulary]) + (1 - original) * model / model.sum()

    single = retriever(texts, {word: Query(word, word, "kk") for word in vocabulary}, depth=10)
    expected: dict[str, float] = {}
    for word, weight in zip(vocabulary, weights, strict=True):
        for document, score in single[word].items() if weight else ():
            expected[document] = expected.get(document, 0.0) + weight * score
    found = RM3(retriever, documents=2, terms=count, original=original)(texts, {"q": Query("q", asked, "kk")}, depth=10)
    assert found["q"] == pytest.approx(expected, rel=0.02)  # weights are hundredths of the largest
    assert len(expected) > len(first)


def test_rm3_counts_documents_of_equal_text_each() -> None:
    """Two of three equally good documents say ауылдар, one says тізімі: twice the weight, not the same."""
    same = documents({"a": "қала ауылдар", "b": "қала ауылдар", "c": "қала тізімі", "x": "ауылдар", "y": "тізімі"})
    retriever = LightBM25(analyser="words")
    queries = {word: Query(word, word, "kk") for word in ("қала", "ауылдар", "тізімі")}
    single = retriever(same, queries, depth=10)
    found = RM3(retriever, documents=3, terms=3)(same, {"қала": queries["қала"]}, depth=10)["қала"]
    assert found["x"] / found["y"] == pytest.approx(2 * single["ауылдар"]["x"] / single["тізімі"]["y"], rel=0.02)


def test_rm3_with_bm25s_works_where_lucene_has_an_analyser_of_its_own() -> None:
    """北京 finds a alone, whose other pair of characters, 首都, then finds b."""
    chinese = documents({"a": "北京 首都", "b": "首都", "c": "河流"}, "zh")
    query = {"q": Query("q", "北京", "zh")}
    assert LightBM25()(chinese, query, depth=5).ranking("q") == ["a"]
    assert RM3(LightBM25())(chinese, query, depth=5).ranking("q") == ["a", "b"]


def test_rm3_with_lucenes_own_analyser_is_one_line_before_the_search() -> None:
    chinese = documents({"a": "北京"}, "zh")
    with pytest.raises(ConfigError, match=r"'lucene' hides; set retriever.analyser=cjk.*or take retriever=bm25s"):
        RM3(LuceneBM25(java="/nowhere/java"))(chinese, {"q": Query("q", "北京", "zh")}, depth=5)


def test_rm3_finds_what_the_query_does_not_name(collection: Collection) -> None:
    """астана finds d alone; d's other word қала then finds c."""
    query = {"q": Query("q", "астана", "kk"), "none": Query("none", "жоқсөз", "kk")}
    plain = LightBM25(analyser="words")
    assert plain(collection.documents, query, depth=5).ranking("q") == ["d"]
    expanded = RM3(plain, documents=1, terms=5)
    found = expanded(collection.documents, query, depth=5)
    assert found.ranking("q") == ["d", "c"]
    assert found["none"] == {}
    assert expanded.name == "BM25 (bm25s) + RM3"


def test_rm3_rejects_what_it_cannot_do() -> None:
    with pytest.raises(ConfigError, match=r"rm3.original is 1.5; allowed: 0 or more, at most 1"):
        RM3(LightBM25(), original=1.5)
    with pytest.raises(ConfigError, match=r"rm3 expands queries by terms, retriever 'dense' has none"):
        RM3(DenseRetriever("x.ckpt"))  # type: ignore[arg-type]
