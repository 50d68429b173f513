"""Lines of a dump as rows: every form that a line has, written by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clir_lightning.knowledge.dump import DumpRows
from knowledge.dumps import item, line, statement, texts


def tables(*lines: bytes | dict[str, Any], languages: tuple[str, ...] = ("zh", "kk")) -> dict[str, list[str]]:
    rows = DumpRows(languages)
    for each in lines:
        assert rows.read(each if isinstance(each, bytes) else line(each)) == ""
    return {table: data.decode().splitlines() for table, data in rows.tables().items()}


def test_an_item_gives_terms_statements_and_links() -> None:
    entity = item(
        "Q35493",
        labels=texts(zh="阿拉木图", kk="Алматы", en="Almaty"),
        descriptions=texts(kk="Қазақстандағы қала", en="city"),
        aliases={"kk": [{"language": "kk", "value": "Верный"}, {"language": "kk", "value": "Алма-Ата"}]},
        claims={"P17": [statement("Q232")]},
        sitelinks={
            name: {"site": name, "title": f"T {name}"} for name in ("enwiki", "kkwiki", "zhwiki", "kkwikiquote")
        },
    )
    assert tables(entity) == {
        "entities": ["Q35493\t4"],
        "terms": [
            "Q35493\tzh\tL\t0\t阿拉木图",
            "Q35493\tkk\tL\t0\tАлматы",
            "Q35493\tkk\tD\t0\tҚазақстандағы қала",
            "Q35493\tkk\tA\t0\tВерный",
            "Q35493\tkk\tA\t1\tАлма-Ата",
            "Q35493\tzh\tS\t0\tT zhwiki",
            "Q35493\tkk\tS\t0\tT kkwiki",
        ],
        "triples": ["Q35493\tP17\tQ232\t1"],
        "properties": [],
    }


def test_variants_are_one_language_the_first_in_order_its_label_and_the_others_aliases() -> None:
    entity = item(
        "Q1",
        labels=texts(zh_tw="計程車", zh_hk="的士", zh_cn="出租车", zh="出租车", kk_arab="تاكسي", zh_min_nan="x"),
        descriptions=texts(zh_hant="繁", zh_hans="简", zh="中"),
        aliases={code: [{"value": text}] for code, text in (("zh-sg", "德士"), ("zh-hans", "的士"), ("kk", "такси"))},
    )
    assert tables(entity)["terms"] == [
        "Q1\tzh\tL\t0\t出租车",
        "Q1\tkk\tL\t0\tتاكسي",
        "Q1\tzh\tD\t0\t简",
        "Q1\tzh\tA\t0\t計程車",
        "Q1\tzh\tA\t1\t的士",
        "Q1\tzh\tA\t2\t德士",
        "Q1\tkk\tA\t0\tтакси",
    ]


def test_statements_keep_their_rank_and_need_an_item_as_their_main_value() -> None:
    of_text = {"mainsnak": {"datatype": "string", "datavalue": {"value": "x", "type": "string"}}, "rank": "normal"}
    old = {"value": {"entity-type": "item", "numeric-id": 5}, "type": "wikibase-entityid"}
    older = {"value": {"entity-type": "item", "numeric-id": 6, "id": "Q6"}, "type": "wikibase-entityid"}
    claims = {
        "P1": [statement("Q2", "deprecated"), statement(None), statement("Q3", "preferred"), statement("Q4")],
        "P2": [of_text, of_text],
        "P3": [statement(None)],
        "P4": [{"mainsnak": {"datatype": "wikibase-item", "datavalue": old}, "rank": "normal"}],
        "P5": [{"mainsnak": {"datavalue": older}, "rank": "normal"}],
        "P6": [{"mainsnak": {"datavalue": {"value": "a text", "type": "string"}}, "rank": "normal"}],
        "P7": [{"mainsnak": {"datavalue": {"value": {"entity-type": "property", "id": "P8"}}}, "rank": "normal"}],
    }
    triples = ["P1\tQ2\t0", "P1\tQ3\t2", "P1\tQ4\t1", "P4\tQ5\t1", "P5\tQ6\t1"]
    assert tables(item("Q1", claims=claims))["triples"] == [f"Q1\t{rest}" for rest in triples]


def test_items_without_a_label_and_other_things_are_counted_and_left_out() -> None:
    rows = DumpRows(["zh", "kk"])
    left = [
        line(item("Q1", labels=texts(en="zh"))),
        line(item("Q2", labels=texts(en="a"), descriptions=texts(zh="描述"))),
        line(item("Q3", labels=[])),
        line(item("Q4", labels=texts(zh_classical="x", kkx="y"))),
        json.dumps(item("Q5", labels=texts(en="a")), indent=None).encode(),
        line({"type": "lexeme", "id": "L1", "lemmas": texts(zh="词")}),
        line({"entity": "Q6", "redirect": "Q7"}),
        b"[",
        b"]",
        b"",
    ]
    assert [rows.read(each) for each in left] == [""] * len(left)
    counts = {"items": 0, "properties": 0, "without": 5, "others": 2, "defective": 0}
    assert rows.counts == {**counts, "opened": 1, "closed": 1}
    assert set(rows.tables().values()) == {b""}


def test_properties_have_labels_in_the_languages_and_the_fallback() -> None:
    country = {"type": "property", "id": "P17", "labels": texts(en="country", zh_hant="國家", zh="国家", de="Staat")}
    nameless = {"type": "property", "id": "P18", "labels": [], "claims": {"P31": [statement("Q1")]}}
    rows = tables(country, nameless)
    assert rows["properties"] == ["P17\tzh\t国家", "P17\ten\tcountry"]
    assert rows["entities"] == rows["triples"] == []
    assert tables(country, languages=("en",))["properties"] == ["P17\ten\tcountry"]


@pytest.mark.parametrize(
    "broken",
    [
        b'{"type":"item","id":"Q1","labels":{"zh":{"language":"zh","value":"x"}}',
        b'{"type":"item","id":"Q1","labels":{"zh":{"value":"\xff"}}}',
        b'{"type":"item","id":"Q1","labels":{"zh":{"value":"\\ud800"}}}',
        b"[1, 2]",
        b'"zh"',
        b"7",
        b"{}}",
        line(item("Q1", labels={"zh": "x"})),
        line(item("Q1", labels={"zh": {"value": None}})),
        line(item("Q1\tQ2")),
        line({"type": "item", "labels": texts(zh="x")}),
        line(item("Q1", claims={"P1": [statement("Q2"), {"mainsnak": {"datavalue": 1}, "rank": "normal"}]})),
        line(item("Q1", claims={"P1": [statement("Q2"), statement("Q3", "best")]})),
        line(item("Q1", claims={"P1": [statement("Q2")], "P2": []})),
        line(item("Q1", claims={"P1": [statement("Q2")]}, sitelinks={"zhwiki": "x"})),
    ],
)
def test_a_defective_line_is_told_and_leaves_no_row(broken: bytes) -> None:
    rows = DumpRows(["zh", "kk"])
    assert rows.read(broken + b",\r")
    assert rows.counts["defective"] == 1
    assert set(rows.tables().values()) == {b""}
    assert rows.read(line(item("Q5"))) == ""
    assert rows.tables()["terms"].decode() == "Q5\tzh\tL\t0\t项Q5\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\tb", "a b"),
        ("a\nb\r\u2028c", "a b c"),
        ("a\u0085b", "a b"),
        (" a ", "a"),
        ("и\u0306", "й"),
        ("a\x00b", "a b"),
        ("«a»", "«a»"),
    ],
)
def test_texts_are_cleaned_as_others_are(text: str, written: str) -> None:
    entity = item(
        "Q1", labels=texts(zh=text), descriptions=texts(zh="b\t"), aliases={"zh": [{"value": text}, {"value": " "}]}
    )
    got = tables(entity, item("Q2"), {"type": "property", "id": "P1", "labels": texts(zh=text)})
    assert got["terms"] == [f"Q1\tzh\tL\t0\t{written}", "Q1\tzh\tD\t0\tb", "Q2\tzh\tL\t0\t项Q2"]
    assert got["properties"] == [f"P1\tzh\t{written}"]


def test_a_line_may_be_of_any_writer() -> None:
    spaced = json.dumps(item("Q1", labels=texts(kk="қала"), claims={"P1": [statement("Q2")]})).encode()
    assert tables(b"  " + spaced + b" ,\r")["triples"] == ["Q1\tP1\tQ2\t1"]
