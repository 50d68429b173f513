"""Queries to entities: each rule, the order of ties, and texts that no one would write."""

from __future__ import annotations

import pickle
import sys

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.linking import Linker
from knowledge.little_graphs import EDGES, KAZAKH, LANGUAGES, little

GRAPH = little(LANGUAGES, EDGES)


def found(text: str, language: str = "zh") -> list[tuple[str, str]]:
    return [(link.entity, link.rule) for link in Linker(GRAPH, language).link(text)]


@pytest.mark.parametrize(
    ("text", "language", "entity", "rule", "score"),
    [
        ("哈萨克语", "zh", KAZAKH, "label", 1.0),
        (" 哈萨克语\n", "zh", KAZAKH, "label", 1.0),
        ("哈萨克文", "zh", KAZAKH, "alias", 0.9),
        ("Қазақ тілі", "kk", KAZAKH, "title", 0.8),
        ("哈薩克語", "zh", KAZAKH, "folded", 0.7),
        ("ҚАЗАҚ  ТІЛІ", "kk", KAZAKH, "folded", 0.7),
        ("哈萨克语", "zh-hant", KAZAKH, "label", 1.0),
        ("语", "zh", "Q1", "label", 1.0),
    ],
)
def test_a_whole_text(text: str, language: str, entity: str, rule: str, score: float) -> None:
    link = Linker(GRAPH, language).best(text)
    assert link is not None
    assert (link.entity, link.rule, link.score, link.start) == (entity, rule, score, 0)


def test_the_longest_name_in_a_text_then_those_beside_it() -> None:
    # 5 + 4 characters of 11 are names: 哈萨克斯坦 before 哈萨克…; 语 of one character is not looked for.
    links = Linker(GRAPH, "zh").link("在哈萨克斯坦学哈薩克語")
    assert [(link.entity, link.start, link.stop) for link in links] == [("Q232", 1, 6), (KAZAKH, 7, 11)]
    assert [link.score for link in links] == pytest.approx([0.5 * 5 / 11, 0.5 * 4 / 11])
    assert {link.rule for link in links} == {"longest"}


def test_names_that_are_parts_of_each_other_give_way_to_the_longer() -> None:
    assert found("мен қазақ тілі пәнін", "kk") == [(KAZAKH, "longest")]
    assert found("бір қазақ тілін", "kk") == [("Q33935", "longest")]


@pytest.mark.parametrize("text", ["қазақтар келді", "Қазақстандық", "бірқазақ"])
def test_a_part_of_a_word_is_no_name(text: str) -> None:
    assert found(text, "kk") == []


@pytest.mark.parametrize("text", ["", " ", "？！", "…", "语言", "\u200b", "👨‍👩‍👧", "\u0301\u0302"])
def test_texts_that_name_nothing(text: str) -> None:
    assert found(text) == []
    assert Linker(GRAPH, "zh").best(text) is None


def test_a_text_of_a_hundred_kilobytes() -> None:
    links = Linker(GRAPH, "zh").link("语言，" * 17_000 + "哈萨克语" + "阿拉木图" * 50)
    assert [link.entity for link in links] == [KAZAKH, "Q35493"]
    assert links[0].score < 1e-4


def test_marks_belong_to_their_letters() -> None:
    graph = little({"Q5": (1, {"hi": "हिन्द"})}, languages=("hi", "kk"))
    assert Linker(graph, "hi").link("वह हिन्दी है") == []
    assert [link.entity for link in Linker(graph, "hi").link("वह हिन्द है")] == ["Q5"]


def test_punctuation_and_symbols_name_what_is_called_so_and_nothing_within_a_text() -> None:
    graph = little({"Q371": (60, {"zh": "!!!"}), "Q87": (3, {"zh": "😀"}), "Q2407": (90, {"zh": "C++"})})
    linker = Linker(graph, "zh")
    assert [linker.link(text)[0].entity for text in ("！！！", "😀", "C++", "学C++语言")] == [
        "Q371",
        "Q87",
        "Q2407",
        "Q2407",
    ]
    assert linker.link("好!!!😀") == []


def test_ties_by_kind_of_name_then_site_links_then_smallest_id() -> None:
    graph = little(
        {
            "Q100": (5, {"zh": "水星"}),
            "Q99": (5, {"zh": "水星"}),
            "b": (5, {"zh": "水星"}),
            "Q308": (200, {"zh": "水星"}),
            "Q7": (999, {"zh": "辰星 | | 水星"}),
        }
    )
    linker = Linker(graph, "zh")
    assert [link.entity for link in linker.link("水星")] == ["Q308", "Q99", "Q100", "b", "Q7"]
    assert [link.entity for link in linker.link("去水星看看")] == ["Q308", "Q99", "Q100", "b", "Q7"]


def test_the_same_spelling_comes_before_more_site_links() -> None:
    graph = little({"Q1": (1, {"kk": "алматы"}), "Q2": (90, {"kk": "Алматы"})})
    assert [link.entity for link in Linker(graph, "kk").link("алматы")] == ["Q1", "Q2"]


def test_many_texts_at_once_are_linked_as_each_alone() -> None:
    texts = ["哈萨克语", "", "哈薩克語", "在阿拉木图", "哈萨克语", "？"]
    linker = Linker(GRAPH, "zh")
    assert linker.links(texts) == [linker.link(text) for text in texts]


def test_a_language_that_the_graph_lacks_is_an_error_and_one_without_terms_is_not() -> None:
    with pytest.raises(ConfigError, match="has terms in zh, kk, none in 'tr'"):
        Linker(GRAPH, "tr")
    assert Linker(little({"Q1": (1, {"zh": "一"})}), "kk").link("бір қазақ") == []


def test_without_the_automaton_whole_texts_are_linked_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ahocorasick", None)
    assert found("哈萨克语") == [(KAZAKH, "label")]
    with pytest.raises(ConfigError, match=r"clir-lightning\[graph\]"):
        found("在哈萨克斯坦")


def test_a_linker_travels_to_another_process_without_its_automaton() -> None:
    linker = Linker(GRAPH, "zh")
    linker.link("在阿拉木图")
    there = pickle.loads(pickle.dumps(linker))
    assert "_finder" not in vars(there)
    assert there.link("在阿拉木图") == linker.link("在阿拉木图")
