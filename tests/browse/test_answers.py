"""Each system's answer to picked and typed queries, on a collection of four documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clir_lightning.browse.answers import EVERYTHING, JUDGED, answer, answers, picked, sources, typed
from clir_lightning.browse.library import WALKS, Library
from clir_lightning.browse.picking import MOST, Choices, opening
from clir_lightning.models.dual import DualEncoder
from clir_lightning.types import Qrels, Query, Run
from knowledge.little_graphs import little

BM25 = "BM25 (bm25s)"


def test_a_picked_query_has_its_judgements_and_the_run_files_list(library: Library) -> None:
    question = picked(library, "q1")
    assert question.grades == {"a": 6, "b": 0, "c": 0}
    assert dict(answer(library, question, "mine", "mine").scores) == {"b": 2.0, "a": 1.0, "unknown": 3.0}
    assert "no document for this query" in answer(library, picked(library, "q2"), "mine", "mine").problem
    assert "pick one" in answer(library, typed(library, "法语"), "mine", "mine").problem


def test_models_rank_the_chosen_candidates_that_have_a_text(library: Library) -> None:
    question = picked(library, "q1")
    model: Any = library.models["lengths"]
    found = answer(library, question, "lengths", "mine")
    assert model.asked == [{"q1": ["b", "a"]}]
    assert dict(found.scores) == {"a": 16.0, "b": 18.0}
    assert set(answer(library, question, "lengths", JUDGED).scores) == {"a", "b", "c"}


def test_a_typed_query_is_translated_by_the_names_of_training_queries(library: Library) -> None:
    """法语 is a training query, whose document begins with "француз тілі": `a` and `b` have тілі."""
    question = typed(library, " 法语 ")
    found = answer(library, question, BM25, BM25)
    assert list(found.scores) == ["b", "a"]
    assert question.query == Query("typed", "法语", "zh")
    assert question.grades is None
    assert set(answer(library, question, "lengths", BM25).scores) == {"a", "b"}


def test_a_picked_training_query_is_not_translated_by_its_own_document(library: Library) -> None:
    found = answer(library, picked(library, "q2"), BM25, BM25)
    assert "lexicon knows none of its words" in found.problem


def test_where_there_is_nothing_to_rank_a_model_says_so(library: Library) -> None:
    found = answer(library, typed(library, "未知"), "lengths", BM25)
    assert found.scores == {}
    assert "lexicon knows none of its words" in found.problem
    strange = replace(library, runs={"mine": Run({"q1": {"x": 1.0}})})
    assert "gives no document of the collection" in answer(strange, picked(strange, "q1"), "lengths", "mine").problem


def test_candidates_are_cut_at_the_depth(library: Library) -> None:
    shallow = replace(library, settings=replace(library.settings, depth=1))
    assert list(answer(shallow, picked(shallow, "q1"), "lengths", JUDGED).scores) == ["a", "b", "c"]
    assert list(answer(shallow, typed(shallow, "法语"), "lengths", BM25).scores) == ["b"]
    one = replace(shallow, runs={"mine": Run({"q1": {"b": 2.0, "a": 1.0}})})
    assert list(answer(one, picked(one, "q1"), "lengths", "mine").scores) == ["b"]


def test_sources_are_what_there_is_for_the_question(library: Library, encoder: Any, lengths: Any) -> None:
    assert sources(library, picked(library, "q1")) == ["mine", BM25, JUDGED]
    assert sources(library, picked(library, "q2")) == [BM25, JUDGED]
    assert sources(library, typed(library, "法语")) == [BM25]
    dual: Any = lengths(DualEncoder(encoder))
    assert sources(replace(library, models={"dual": dual}), typed(library, "法语")) == [BM25, EVERYTHING]


def test_a_model_without_vectors_cannot_search(library: Library) -> None:
    assert "cannot search" in answer(library, picked(library, "q1"), "lengths", EVERYTHING).problem


def test_walks_in_the_graph_rank_too(library: Library) -> None:
    """Of walks between b and a that begin at b and go on with 0.85, b = 0.15 + 0.85 · a and a = 0.85 · b."""
    names = {
        "b": (0, {"zh": "法语", "kk": "б"}),
        "a": (0, {"zh": "哈萨克语", "kk": "а"}),
        "c": (0, {"zh": "阿拉木图", "kk": "в"}),
    }
    walking = replace(library, graph=little(names, [("b", "P", "a")]))
    assert walking.systems == [BM25, "mine", "lengths", WALKS]
    assert replace(walking, runs={}, models={}).shown() == [BM25, WALKS]
    scores = answer(walking, picked(walking, "q2"), WALKS, JUDGED).scores
    share = 0.15 / (1 - 0.85**2)
    assert scores == pytest.approx({"b": share, "a": 0.85 * share, "d": 0.0}, abs=1e-6)

    # 法语 is in the lexicon, and not in this graph.
    without = replace(library, graph=little({"c": names["c"]}))
    assert "no walk begins" in answer(without, typed(without, "法语"), WALKS, BM25).problem


def test_answers_keep_the_order_that_was_asked_for(library: Library) -> None:
    found = answers(library, picked(library, "q1"), ["lengths", "mine"], JUDGED)
    assert [each.system for each in found] == ["lengths", "mine"]


def test_a_query_without_judgements_has_none(library: Library) -> None:
    split = replace(library.split, qrels=Qrels({"q1": {}, "q2": {}}))
    unjudged = replace(library, split=split)
    assert picked(unjudged, "q1").grades is None
    assert sources(unjudged, picked(unjudged, "q1")) == ["mine", BM25]


def test_a_page_opens_with_the_query_of_most_relevant_documents_in_the_first_list(library: Library) -> None:
    assert library.shown() == ["mine", "lengths"]
    assert opening(library, ["q2", "q1"]) == "q1"
    assert opening(replace(library, runs={}), []) is None
    model_first = replace(library, runs={}, models={})
    assert model_first.shown() == [BM25]


def test_choices_find_queries_by_words_and_ids() -> None:
    many = Choices({f"q{number}": f"текст {number}" for number in range(MOST + 100)})
    assert many.long
    assert len(many.matching("")) == len(many.matching("текст")) == MOST
    assert many.matching("ТЕКСТ 599") == ["q599"]
    assert many.matching("q12 текст")[:2] == ["q12", "q120"]
    assert many.matching("nothing") == []
    assert Choices({"q": "а" * 100}).label("q") == "а" * 80 + "… · q"
