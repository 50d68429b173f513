"""BM25 re-ranking and the lexicon of names."""

from __future__ import annotations

from clir_lightning.data.collection import Collection, Split
from clir_lightning.retrieval.bm25 import LightBM25, order_candidates
from clir_lightning.retrieval.lexicon import Lexicon, names_lexicon
from clir_lightning.types import Document, Qrels, Query, Run


def test_the_lexicon_holds_the_training_queries_titles_only(collection: Collection) -> None:
    lexicon = names_lexicon(collection.split("train"), collection.documents)
    assert lexicon.entries == {"哈萨克语": (("қазақ тілі", 1.0),), "法语": (("француз тілі", 1.0),)}


def test_the_longest_entry_wins_and_unknown_text_is_dropped() -> None:
    lexicon = Lexicon.of([("法", "заң", 1), ("法语", "француз тілі", 1), ("比利时", "Бельгия", 1)])
    assert lexicon.parts("法语 (比利时) 城") == (("француз тілі", 1.0), ("Бельгия", 1.0))
    assert lexicon.parts("阿拉木图") == Lexicon.of([]).parts("法语") == ()


def own_language(**texts: str) -> dict[str, Query]:
    return {i: Query(i, text, "kk") for i, text in texts.items()}


def test_bm25_orders_as_the_formula_does(collection: Collection) -> None:
    """ "тілі" is in two documents of equal length, "қазақ" in one: a > b > the rest, which keep their order."""
    found = LightBM25(analyser="words")(collection.documents, own_language(q="қазақ тілі"), depth=10)
    assert found.ranking("q") == ["a", "b"]
    assert order_candidates(Run({"q": {"d": 4.0, "b": 3.0, "a": 2.0, "c": 1.0}}), found).ranking("q") == [
        "a",
        "b",
        "d",
        "c",
    ]


def test_an_untranslated_query_keeps_the_candidates_order(collection: Collection) -> None:
    candidates = Run({"q": {"d": 4.0, "b": 3.0, "a": 2.0}})
    for text in ("", "жоқсөз"):
        found = LightBM25()(collection.documents, own_language(q=text), depth=10)
        assert order_candidates(candidates, found).ranking("q") == candidates.ranking("q")


def test_a_sentence_with_a_dash_late_in_it_is_not_a_title() -> None:
    """113 characters before the dash are a sentence, 80 can be a title yet."""
    texts = {"a": "с" * 113 + " — тіл", "b": "с" * 80 + " — тіл", "c": "с" * 81 + " — тіл"}
    documents = {i: Document(i, text, "kk") for i, text in texts.items()}
    split = Split({i: Query(i, f"问{i}", "zh") for i in texts}, Qrels({i: {i: 1} for i in texts}))
    assert list(names_lexicon(split, documents).entries) == ["问b"]
