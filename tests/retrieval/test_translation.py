"""Translations: lexicons of every source, weights, both sides and files."""

from __future__ import annotations

import gzip
import json
import time
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pytest

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.data.sources.term_tables import read_entries
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.retrieval.bm25 import LightBM25
from clir_lightning.retrieval.lexicon import Lexicon
from clir_lightning.retrieval.retriever import WeightedQuery, parts_of
from clir_lightning.retrieval.translation import GivenTranslation, LexiconTranslation, NoTranslation
from clir_lightning.types import Document, Qrels, Query


def test_a_table_of_terms_gives_weighted_translations(collection: Collection, tmp_path: Path) -> None:
    table = tmp_path / "terms.tsv"
    table.write_text("阿拉木图\tАлматы\t3\n阿拉木图\tқала\t1\n", encoding="utf-8")
    translation = LexiconTranslation([str(table)])
    query = translation.queries(collection, "dev")["q3"]
    assert parts_of(query) == (("Алматы", 0.75), ("қала", 0.25))
    assert query.language == "kk"
    assert parts_of(LexiconTranslation([str(table)], alternatives=1).queries(collection, "dev")["q3"])[0][1] == 1.0
    found = LightBM25(analyser="words")(collection.documents, {"q3": query}, depth=5)
    assert found.ranking("q3") == ["c", "d"]  # c has both words, d the second alone


def test_weights_scale_scores(collection: Collection) -> None:
    """Score = Σ weight × BM25 of the term, so a quarter of the weight is a quarter of the score."""
    whole = WeightedQuery("q", "", "kk", (("алматы", 1.0),))
    quarter = WeightedQuery("q", "", "kk", (("алматы", 0.25), ("жоқсөз", 0.75)))
    scores = [LightBM25()(collection.documents, {"q": query}, depth=5)["q"]["c"] for query in (whole, quarter)]
    assert scores[1] == pytest.approx(scores[0] / 4, rel=1e-6)


def test_entity_labels_give_own_and_neighbours_names(tmp_path: Path) -> None:
    path = tmp_path / "entities.jsonl.gz"
    near = {"label_zh": ["城市", "首都"], "label_kk": ["қала", "астана"]}
    row = {"q_item_info": {"label_zh": "阿拉木图", "label_kk": "Алматы"}, "adj_item_info": near}
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    pairs = [("阿拉木图", "Алматы", 1.0), ("城市", "қала", 1.0), ("首都", "астана", 1.0)]
    assert list(read_entries(path, "zh", "kk")) == pairs
    with pytest.raises(DataError, match="line 1: no entity labels"):
        list(read_entries(path, "en", "kk"))


@pytest.mark.parametrize("line", ["one field", "a\tb\t-1", "a\tb\tx", "\tb", "a\tb\t1\t2", "a\tb\tnan"])
def test_a_bad_table_names_its_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text(f"a\tb\n{line}\n")
    with pytest.raises(DataError, match=r"terms.tsv, line 2: .* is not an entry"):
        list(read_entries(tmp_path / "terms.tsv", "zh", "kk"))


def test_names_are_the_training_queries_or_the_splits_own_too(collection: Collection) -> None:
    assert LexiconTranslation(names="train").queries(collection, "dev")["q3"].text == ""
    assert LexiconTranslation(names="own").queries(collection, "dev")["q3"].text == "Алматы"
    with pytest.raises(ConfigError, match="no words"):
        LexiconTranslation()


TITLES = {
    "a": "қазақ тілі — тіл",
    "b": "тіл — сөйлесу құралы",
    "c": "Алматы — қала",
    "d": "Алматы облысы — облыс",
}


def training(texts: Mapping[str, str], best: Mapping[str, str]) -> Collection:
    """A collection with these training queries, each with its best document, asked as dev queries too."""
    documents = {i: Document(i, text, "kk") for i, text in TITLES.items()}
    queries = {i: Query(i, text, "zh") for i, text in texts.items()}
    train = Split(queries, Qrels({i: {best[i]: 6} for i in texts}))
    dev = Split({f"dev{i}": Query(f"dev{i}", text, "zh") for i, text in texts.items()}, Qrels({}))
    return Collection("titles", documents, {"train": train, "dev": dev})


def test_training_queries_are_translated_without_their_own_entry() -> None:
    """Left out are entries of the query's own text, those of other queries of that text too; shorter ones take over."""
    texts = {"1": "哈萨克语", "2": "语", "3": "阿拉木图", "4": "阿拉木图", "5": " 阿拉木图 市", "6": "ABC 语"}
    collection = training(texts, {"1": "a", "2": "b", "3": "c", "4": "d", "5": "d", "6": "b"})
    translated = LexiconTranslation(names="train").queries(collection, "train")
    assert {i: parts_of(query) for i, query in translated.items()} == {
        "1": (("тіл", 1.0),),  # by the second query's entry; not қазақ тілі, its own
        "2": (),
        "3": (),  # the fourth has the same text
        "4": (),
        "5": (("Алматы", 1.0),),  # by the third's
        "6": (("abc", 1.0), ("тіл", 1.0)),
    }
    dev = LexiconTranslation(names="train").queries(collection, "dev")
    assert [dev[f"dev{i}"].text for i in texts] == ["қазақ тілі", "тіл", "Алматы", "Алматы", "Алматы облысы", "тіл"]


def test_a_training_querys_own_entry_is_left_out_in_any_spelling() -> None:
    texts = {"1": "Éire  ", "2": unicodedata.normalize("NFD", "éire"), "3": "ÉIRE"}
    collection = training(texts, dict.fromkeys(texts, "a"))
    translated = LexiconTranslation(names="train").queries(collection, "train")
    assert not [query.text for query in translated.values() if "қазақ" in query.text]
    assert LexiconTranslation(names="train").queries(collection, "dev")["dev2"].text == "қазақ тілі"


def test_tables_still_translate_what_a_training_query_is_called(tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("哈萨克语\tқазақша\t3\n", encoding="utf-8")
    collection = training({"1": "哈萨克语"}, {"1": "a"})
    both = LexiconTranslation([str(tmp_path / "terms.tsv")], names="train")
    assert parts_of(both.queries(collection, "train")["1"]) == (("қазақша", 1.0),)
    assert parts_of(both.queries(collection, "dev")["dev1"]) == (("қазақша", 0.75), ("қазақ тілі", 0.25))


def test_own_names_are_an_upper_bound_of_training_queries_too() -> None:
    collection = training({"1": "哈萨克语"}, {"1": "a"})
    assert LexiconTranslation(names="own").queries(collection, "train")["1"].text == "қазақ тілі"


def test_training_queries_asked_under_another_splits_name_leave_their_entries_out() -> None:
    """`clir search split=train` asks them as the split `search`."""
    collection = training({"1": "哈萨克语"}, {"1": "a"})
    asked = Split(collection.split("train").queries, Qrels({}))
    both = Collection("both", collection.documents, {**collection.splits, "search": asked})
    assert LexiconTranslation(names="train").queries(both, "search")["1"].text == ""


def test_documents_cannot_be_translated_without_each_training_querys_own_entry() -> None:
    collection = training({"1": "哈萨克语"}, {"1": "a"})
    translation = LexiconTranslation(names="train", side="documents")
    with pytest.raises(ConfigError, match=r"side=documents with translation.names=train would .*translation.names=own"):
        translation.queries(collection, "train")
    assert translation.documents(collection, "dev")["a"].text == "哈萨克语"
    assert LexiconTranslation(names="own", side="documents").documents(collection, "train")["a"].text == "哈萨克语"


def test_leaving_entries_out_takes_one_lexicon_for_all_queries() -> None:
    count = 20_000
    texts = {str(i): f"城{i}" for i in range(count)}
    collection = training(texts, dict.fromkeys(texts, "a"))
    start = time.process_time()
    translated = LexiconTranslation(names="train").queries(collection, "train")
    assert time.process_time() - start < 60  # one lexicon per query would take hours
    assert {query.text for query in translated.values()} == {str(i) for i in range(count)}


def test_documents_are_translated_word_by_word_of_their_language(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("哈萨克语\tқазақ тілі\n城市\tқала\n线\tқал\n", encoding="utf-8")
    translation = LexiconTranslation([str(tmp_path / "terms.tsv")], side="documents")
    documents = translation.documents(collection, "dev")
    assert {i: document.text for i, document in documents.items()} == {
        "a": "哈萨克语",
        "b": "",
        "c": "城市",
        "d": "城市",
    }
    assert documents["a"].language == "zh"
    assert translation.queries(collection, "dev") is collection.split("dev").queries
    found = LightBM25()(documents, collection.split("train").queries, depth=5)
    assert found.ranking("q1") == ["a"]


def test_whole_words_only_where_words_are_separated() -> None:
    lexicon = Lexicon.of([("тіл", "语", 1), ("2024", "x", 1)])
    assert lexicon.parts("тілі тіл 20245 ABC-7") == (("语", 1.0), ("20245", 1.0), ("abc", 1.0), ("7", 1.0))


def test_given_translations_must_be_complete(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "given.tsv"
    path.write_text("q1\tқазақ тілі\nq2\tфранцуз тілі\n", encoding="utf-8")
    queries = GivenTranslation(str(path)).queries(collection, "train")
    assert [(query.text, query.language) for query in queries.values()] == [
        ("қазақ тілі", "kk"),
        ("француз тілі", "kk"),
    ]
    with pytest.raises(DataError, match="1 of 1 queries have no translation, the first is 'q3'"):
        GivenTranslation(str(path)).queries(collection, "dev")
    path.write_text("q1 no tab\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1: no 'id<TAB>text'"):
        GivenTranslation(str(path)).queries(collection, "train")
    with pytest.raises(ConfigError, match=r"translation.side is 'query'; allowed: queries, documents"):
        GivenTranslation(str(path), side="query")


def test_none_changes_nothing(collection: Collection) -> None:
    assert NoTranslation().queries(collection, "dev") is collection.split("dev").queries
    assert NoTranslation().documents(collection, "dev") is collection.documents


def test_train_lists_of_the_demo_are_as_good_as_those_of_dev() -> None:
    """Not twice as good: NDCG@10 is 83 where each training query brings its own document's title, 39 without."""
    demo = build_demo()

    def ndcg(split: str, names: str) -> float:
        queries = LexiconTranslation(names=names).queries(demo, split)
        found = LightBM25()(demo.documents, queries, depth=100)
        return evaluate(found, demo.split(split).qrels, ["ndcg_10"]).means["ndcg_10"]

    assert ndcg("train", "own") == pytest.approx(0.83, abs=0.02)
    assert ndcg("train", "train") == pytest.approx(0.39, abs=0.02)
    assert ndcg("dev", "train") == pytest.approx(0.43, abs=0.02)
