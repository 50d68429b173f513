"""BM25 re-ranking and the lexicon of names."""

from __future__ import annotations

from clir_lightning.data.collection import Collection
from clir_lightning.retrieval.bm25 import bm25_rerank, words
from clir_lightning.retrieval.translation import Lexicon, names_lexicon
from clir_lightning.types import Run


def test_the_lexicon_holds_the_training_queries_titles_only(collection: Collection) -> None:
    lexicon = names_lexicon(collection.split("train"), collection.documents)
    assert dict(lexicon.entries) == {"哈萨克语": "қазақ тілі", "法语": "француз тілі"}


def test_the_longest_entry_wins_and_unknown_text_is_dropped() -> None:
    lexicon = Lexicon({"法": "заң", "法语": "француз тілі", "比利时": "Бельгия"})
    assert lexicon.translate("法语 (比利时) 城") == "француз тілі Бельгия"
    assert lexicon.translate("阿拉木图") == ""
    assert Lexicon({}).translate("法语") == ""


def test_bm25_orders_as_the_formula_does(collection: Collection) -> None:
    """ "тілі" is in two documents of equal length, "қазақ" in one: a > b > the rest, which keep their order."""
    candidates = Run({"q": {"d": 4.0, "b": 3.0, "a": 2.0, "c": 1.0}})
    ranked = bm25_rerank(candidates, {"q": "қазақ тілі"}, collection.documents)
    assert ranked.ranking("q") == ["a", "b", "d", "c"]


def test_an_untranslated_query_keeps_the_candidates_order(collection: Collection) -> None:
    candidates = Run({"q": {"d": 4.0, "b": 3.0, "a": 2.0}})
    assert bm25_rerank(candidates, {"q": ""}, collection.documents).ranking("q") == candidates.ranking("q")
    assert bm25_rerank(candidates, {"q": "жоқ"}, collection.documents).ranking("q") == candidates.ranking("q")


def test_words_fold_case() -> None:
    assert words("Алматы — ҚАЛА.") == ["алматы", "қала"]
