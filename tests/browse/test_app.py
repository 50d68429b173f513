"""The script that Streamlit runs, in each of its states, without a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clir_lightning import browse
from clir_lightning.browse import library as room
from clir_lightning.browse.library import Library
from clir_lightning.data.collection import Collection, Split
from clir_lightning.types import Document, Qrels, Query, Run
from knowledge.little_graphs import little

testing = pytest.importorskip("streamlit.testing.v1", reason="the extra `browse` is not installed")
SCRIPT = Path(browse.__file__).with_name("app.py")
HANG = 600
SCORE = 'title="score"'
Open = Callable[[Library], Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Open:
    """The page of a library, drawn once."""

    def run(library: Library) -> Any:
        monkeypatch.setattr(room, "opened", lambda settings: library)
        # The script runs as `__main__`, which processes that are started later would import.
        monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), f"{request.node.name} {id(library)}"])
        page = testing.AppTest.from_file(str(SCRIPT), default_timeout=HANG).run()
        assert not page.exception, page.exception
        return page

    return run


def shown(page: Any) -> str:
    """All HTML of the page but its style."""
    return "\n".join(part.proto.body for part in page.get("html") if "<style>" not in part.proto.body)


def test_it_opens_with_the_lists_of_a_judged_query(library: Library, opened: Open) -> None:
    page = opened(library)
    html = shown(page)
    assert '<span lang="zh" dir="auto">哈萨克语</span>' in html
    assert "1 relevant of 3 judged documents" in html
    assert html.count("<section>") == 2
    assert page.selectbox(key="source").options == ["mine", "BM25 (bm25s)", "the judged documents"]
    assert page.multiselect(key="systems").value == ["mine", "lengths"]


def test_picking_and_typing_take_turns(library: Library, opened: Open) -> None:
    page = opened(library)
    page.text_input(key="typed").set_value("法语").run()
    html = shown(page)
    assert "<code>typed</code> no judgements" in html
    assert "a run file answers the queries in it alone" in html
    assert page.selectbox(key="source").options == ["BM25 (bm25s)"]
    page.selectbox(key="picked").set_value("q2").run()
    assert page.text_input(key="typed").value == ""
    assert "<code>q2</code>" in shown(page)
    assert not page.exception


def test_blanks_are_no_query(library: Library, opened: Open) -> None:
    page = opened(library)
    page.text_input(key="typed").set_value("   ").run()
    assert "<code>q1</code>" in shown(page)


def test_the_first_system_is_what_others_are_compared_with(library: Library, opened: Open) -> None:
    page = opened(library)
    assert "than in mine" in shown(page)
    page.multiselect(key="systems").set_value(["lengths", "mine"]).run()
    assert "than in lengths" in shown(page)
    assert "than in mine" not in shown(page)


def test_without_a_system_it_says_what_to_do(library: Library, opened: Open) -> None:
    page = opened(library)
    page.multiselect(key="systems").set_value([]).run()
    assert [info.value for info in page.info] == ["Choose at least one system."]
    assert not page.exception


def test_a_query_without_judgements_has_lists_without_measures(library: Library, opened: Open) -> None:
    split = replace(library.split, qrels=Qrels({"q1": {}, "q2": {}}))
    html = shown(opened(replace(library, split=split)))
    assert "no judgements" in html
    assert "NDCG" not in html
    assert "Found by no system" not in html


def test_a_split_without_queries_can_still_be_asked(library: Library, opened: Open) -> None:
    page = opened(replace(library, split=Split({}, Qrels({})), runs={}))
    assert page.selectbox(key="picked").options == []
    page.text_input(key="typed").set_value("法语").run()
    assert "француз тілі" in shown(page)


def test_depth_cuts_the_lists(library: Library, opened: Open) -> None:
    many = Run({"q1": {f"d{number}": -float(number) for number in range(60)}})
    page = opened(replace(library, runs={"mine": many}, models={}))
    assert shown(page).count(SCORE) == 10
    page.selectbox(key="depth").set_value(50).run()
    assert shown(page).count(SCORE) == 50


def test_entities_are_shown_where_there_is_a_graph(library: Library, opened: Open) -> None:
    names = {"a": (0, {"zh": "哈萨克语", "kk": "қазақ тілі"}), "b": (0, {"zh": "法语", "kk": "б"})}
    graph = little(names, [("a", "P", "b")])
    page = opened(replace(library, graph=graph))
    page.selectbox(key="document").set_value("b").run()
    html = shown(page)
    assert "Entity of the query" in html
    assert "<code>b</code> by id" in html
    assert "The way between them" in html
    assert "Entity of" not in shown(opened(library))


def test_a_graph_of_other_languages_is_a_sentence(library: Library, opened: Open) -> None:
    graph = little({"a": (0, {"fr": "kazakh"})}, languages=("fr", "de"))
    assert "has terms in fr, de, none in" in shown(opened(replace(library, graph=graph)))


def test_what_a_model_matched_or_not_is_told(library: Library, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "What lengths matched" in shown(opened(library))
    assert "NoneType reads both texts as one" in shown(opened(library))


def test_a_hundred_thousand_documents_and_queries_stay_here(opened: Open, library: Library) -> None:
    """The browser gets the lists that are shown, and 500 queries to pick from; a search finds the others."""
    count = 100_000
    documents = {f"d{number}": Document(f"d{number}", f"құжат {number}", "kk") for number in range(count)}
    queries = {f"q{number}": Query(f"q{number}", f"查询 {number}", "zh") for number in range(count)}
    split = Split(queries, Qrels({query: {} for query in queries}))
    big = Collection("big", documents, {"train": split})
    run = Run({f"q{number}": {"d1": 2.0, "d2": 1.0} for number in range(count)})
    page = opened(replace(library, collection=big, split=split, runs={"mine": run}, models={}))
    assert len(page.selectbox(key="picked").options) == 500
    assert len(page.selectbox(key="document").options) == 2
    page.text_input(key="wanted").set_value("q99999").run()
    assert page.selectbox(key="picked").options == ["查询 99999 · q99999"]
    assert "<code>q99999</code>" in shown(page)
    page.text_input(key="wanted").set_value("nothing like it").run()
    assert page.selectbox(key="picked").options == []
    assert not page.exception
