"""Documents to entities: by id, by the title in front, by the longest name at the beginning."""

from __future__ import annotations

import logging

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.documents import document_links, link_documents
from clir_lightning.knowledge.graph import Graph
from clir_lightning.types import Document
from knowledge.little_graphs import EDGES, KAZAKH, LANGUAGES, little

GRAPH = little(LANGUAGES, EDGES)


def of(texts: dict[str, str], language: str = "kk") -> dict[str, Document]:
    return {name: Document(name, text, language) for name, text in texts.items()}


def rules(text: str, graph: Graph = GRAPH, language: str = "kk", by: str = "auto") -> tuple[str, str] | None:
    ((_, link),) = document_links(graph, of({"a1": text}, language), language, by)
    return (link.entity, link.rule) if link else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("қазақ тілі — түркі тілі", (KAZAKH, "label")),
        ("қазақ тілі – түркі тілі", (KAZAKH, "label")),
        ("Қазақ тілі\nМақала", (KAZAKH, "title")),
        ("қазақша", (KAZAKH, "alias")),
        ("ҚАЗАҚ ТІЛІ — тіл", (KAZAKH, "folded")),
        ("Алматы (қала) — Қазақстан", ("Q35493", "longest")),
        ("Қазақ тілі түркі тілдерінің бірі", (KAZAKH, "longest")),
        ("Қазақ — халық", ("Q33935", "folded")),
        ("Алматының көшелері", None),
        ("Алматы көшелері — тізім", None),
        ("Алматы К. көшесі — тізім", None),
        (
            "Алматы қаласының орталығындағы көшелердің атаулары туралы сөз. Кітап — тізім",
            ("Q35493", "longest"),
        ),
        ("Қазақ тілі — Алматы — қала", (KAZAKH, "title")),
        ("Алматы - Қазақстан — матч", ("Q35493", "label")),
        ("Бұл Алматы", None),
        ("", None),
        (" — ", None),
        ("— — —", None),
        ("?" * 100_000, None),
        ("Алматы" + " сөз" * 30_000, ("Q35493", "longest")),
    ],
)
def test_what_a_document_begins_with(text: str, expected: tuple[str, str] | None) -> None:
    assert rules(text) == expected


def test_a_title_with_a_dash_in_it_is_longer_than_what_is_before_the_dash() -> None:
    graph = little({"Q1": (9, {"kk": "Грузия"}), "Q2": (1, {"kk": "Грузия - Украина | матч"})})
    assert rules("Грузия - Украина — матч", graph) == ("Q2", "label")
    assert rules("Грузия — ел", graph) == ("Q1", "label")
    assert rules("Грузия\n", graph) == ("Q1", "label")


def test_a_chinese_document_begins_with_the_longest_name() -> None:
    assert rules("哈薩克語是一种语言", language="zh") == (KAZAKH, "longest")
    assert rules("阿拉木图（哈萨克语：Алматы）——城市", language="zh") == ("Q35493", "longest")
    assert rules("语言", language="zh") is None


def test_of_several_entities_of_a_name_the_one_whose_description_follows() -> None:
    graph = little(
        {
            "Q1": (90, {"kk": "Меркурий | ғаламшар"}),
            "Q2": (10, {"kk": "Меркурий | құдай"}),
            "Q3": (1, {"kk": "Меркурий"}),
        }
    )
    assert rules("Меркурий — құдай", graph) == ("Q2", "description")
    assert rules("Меркурий — Құдай, Рим мифологиясында", graph) == ("Q2", "description")
    assert rules("Меркурий — көлік", graph) == ("Q1", "label")
    assert rules("Меркурий", graph) == ("Q1", "label")


def test_an_id_that_the_graph_has_comes_before_the_text(caplog: pytest.LogCaptureFixture) -> None:
    documents = of({"Q232": "Алматы — қала", "a1": "Алматы — қала", "Q77": "Уругвай", "42": "Қазақстан"})
    with caplog.at_level(logging.INFO):
        assert link_documents(GRAPH, documents, "kk") == {"Q232": "Q232", "a1": "Q35493", "42": "Q232"}
    assert "documents linked: 3 of 4 (2 by label, 1 by id)" in caplog.text

    assert link_documents(GRAPH, documents, "kk", by="id") == {"Q232": "Q232"}
    assert link_documents(GRAPH, documents, "kk", by="text") == {"Q232": "Q35493", "a1": "Q35493", "42": "Q232"}
    assert link_documents(GRAPH, documents, "kk", by="none") == {}


def test_more_documents_than_a_look_up_takes_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clir_lightning.knowledge.documents.AT_ONCE", 2)
    texts = {f"d{place}": ("Алматы", "?", "қазақ тілі")[place % 3] for place in range(7)}
    linked = [(name, link.entity if link else None) for name, link in document_links(GRAPH, of(texts), "kk")]
    assert linked == [(f"d{place}", ("Q35493", None, KAZAKH)[place % 3]) for place in range(7)]


def test_ids_that_are_not_of_wikidata() -> None:
    graph = little({"territory:KZ": (0, {"kk": "Қазақстан"})})
    assert link_documents(graph, of({"territory:KZ": "x", "territory:DE": "y"}), "kk") == {
        "territory:KZ": "territory:KZ"
    }


def test_another_way_is_an_error() -> None:
    with pytest.raises(ConfigError, match="documents is 'title'; allowed: auto, id, text, none"):
        link_documents(GRAPH, {}, "kk", by="title")
