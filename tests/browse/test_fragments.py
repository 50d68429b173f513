"""The page's HTML: whatever stands in a user's files is text, and what is shown is said without colour too."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from clir_lightning.browse import fragments
from clir_lightning.browse.entity import Edge, Entity
from clir_lightning.browse.lists import Answer, Row, listings
from clir_lightning.browse.matches import Match, Matches, Matrices
from clir_lightning.data.collection import Collection, Split
from clir_lightning.knowledge.graph import Terms
from clir_lightning.types import Document, Qrels, Query

HOSTILE = '<script>alert(1)</script> **bold** $x^2$ :smile: "q" <img src=x onerror=alert(2)>'
GIVEN = {"script", "img", "strong"}  # what the hostile text would become


class Tags(HTMLParser):
    """The names of a page's elements, its text, and whether all that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def entity() -> Entity:
    names = {"zh": Terms(HOSTILE, HOSTILE, (HOSTILE,))}
    return Entity(HOSTILE, "label", 1.0, names, (Edge(HOSTILE, HOSTILE, names, True),))


def hostile_pages() -> list[str]:
    documents = {HOSTILE: Document(HOSTILE, HOSTILE, HOSTILE)}
    grades = {HOSTILE: 1, "gone": 2}
    answers = [Answer(HOSTILE, {HOSTILE: 1.0}), Answer("other", {"x": 1.0, HOSTILE: 0.5}), Answer("no", {}, HOSTILE)]
    query = Query(HOSTILE, HOSTILE, HOSTILE)
    collection = Collection(HOSTILE, documents, {HOSTILE: Split({HOSTILE: query}, Qrels({HOSTILE: grades}))})
    matrices = Matrices((0,), (HOSTILE,), (HOSTILE,), np.ones((1, 1, 1), np.float32))
    step = entity().around
    return [
        fragments.columns(listings(answers, grades, depth=5), documents, grades),
        fragments.heading(query, grades),
        fragments.missing([(HOSTILE, 1)], 1, documents, 5),
        fragments.matches(Matches((Match(HOSTILE, HOSTILE, 0, 0.5),))),
        fragments.matrix(matrices, 0),
        fragments.entity(HOSTILE, entity(), ["zh"]),
        fragments.way(entity(), step, ["zh"], 4),
        fragments.about(collection, HOSTILE, [HOSTILE]),
        *(each(HOSTILE) for each in (fragments.title, fragments.remark, fragments.problem)),
    ]


@pytest.mark.parametrize("page", hostile_pages())
def test_what_stands_in_files_is_shown_as_text(page: str) -> None:
    tags = Tags(page)
    assert not tags.names & GIVEN
    assert HOSTILE in tags.text
    assert "onerror" not in re.sub(r">[^<]*<", "><", page.replace("&lt;img src=x onerror", ""))


def test_texts_have_language_and_direction_and_long_ones_fold() -> None:
    assert fragments.text("قازاق", "kk-Arab") == '<span lang="kk-Arab" dir="auto">قازاق</span>'
    words = "а" * 219 + "бв"
    folded = fragments.text(words, "kk")
    assert '<summary lang="kk" dir="auto">' + "а" * 219 + "б<i> …</i></summary>" in folded
    assert Tags(folded).text == "а" * 219 + "б …" + "в"


def test_a_megabyte_is_cut_with_its_length() -> None:
    shown = fragments.text("x" * 1_000_000, "kk")
    assert len(shown) < 4400
    assert "4,000 of 1,000,000 characters" in shown


@pytest.mark.parametrize(
    ("grade", "highest", "step"),
    [(0, 6, 0), (1, 6, 1), (2, 6, 2), (3, 6, 2), (4, 6, 3), (6, 6, 4), (1, 1, 4), (-2, 1, 0)],
)
def test_a_grade_is_a_number_on_one_of_five_colours(grade: int, highest: int, step: int) -> None:
    shown = fragments.badge(grade, highest)
    assert f"clir-g{step}" in shown
    assert f">{grade}</b>" in shown


@pytest.mark.parametrize(
    ("change", "text", "title"),
    [
        (1, "▲1", "1 place higher than in BM25"),
        (-12, "▼12", "12 places lower than in BM25"),
        (0, "=", "as in BM25"),
        (None, "new", "not in the list of BM25"),
    ],
)
def test_a_change_is_a_sign_and_a_number(change: int | None, text: str, title: str) -> None:
    shown = fragments.change(Row(1, "a", 1.0, None, change), "BM25")
    assert Tags(shown).text == text
    assert f'title="{title}"' in shown


def test_a_column_has_its_measures_and_the_first_no_changes() -> None:
    documents = {name: Document(name, f"text {name}", "kk") for name in "ab"}
    lists = listings([Answer("one", {"a": 2.0, "b": 1.0}), Answer("two", {"b": 3.0, "c": 1.0})], {"b": 1}, depth=5)
    shown = fragments.columns(lists, documents, {"b": 1})
    first, second = shown.split("<section>")[1:]
    assert "NDCG@10 63.1 · MRR@10 50.0 · 2 of 2 documents" in first
    assert "▲" not in first
    assert "new" not in first
    assert "▲1" in second
    assert "not in the collection" in second
    assert "text b" in second


def test_what_no_system_found_is_counted() -> None:
    documents = {"d": Document("d", "text", "kk")}
    shown = fragments.missing([("d", 3), ("e", 1)], 5, documents, depth=1)
    assert "Found by no system: 2 of 5 relevant documents" in shown
    assert "and 1 more" in shown
    assert "Each of the 5 relevant documents" in fragments.missing([], 5, documents, 1)
    assert fragments.missing([], 0, documents, 1) == ""


def test_a_heat_map_has_the_numbers_and_negative_ones_no_heat() -> None:
    matrices = Matrices((1,), ("q",), ("a", "b"), np.array([[[0.5, -0.25]]], np.float32))
    shown = fragments.matrix(matrices, 0)
    assert '<td style="--heat:50%">0.50</td><td style="--heat:0%">-0.25</td>' in shown


def test_an_entity_has_names_in_all_languages_and_ways_have_directions() -> None:
    names = {"zh": Terms("阿", "第一", ("啊", "呵", "吖")), "kk": Terms("а")}
    other = Edge("label", "B", {"kk": Terms("бэ")}, False)
    found = Entity("A", "longest", 0.25, names, (other,))
    shown = Tags(fragments.entity("Entity", found, ["zh", "kk", "en"])).text
    assert "A by the longest name in it, 0.25" in shown
    assert "zh 阿 / 啊 / 呵 — 第一kk аen –" in shown
    assert "← label ← бэ" in shown
    way = Tags(fragments.way(found, [other], ["zh", "kk"], 4)).text
    assert way.endswith("阿 · а← label ← бэ")
    assert "none of 4 steps" in fragments.way(found, None, ["zh"], 4)
    assert "same entity" in fragments.way(found, [], ["zh"], 4)
    assert "names no entity" in fragments.entity("Entity", None, ["zh"])
