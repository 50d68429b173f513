"""Rows of a graph: what a line holds, and parts that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.knowledge.rows import COLUMNS, Rows, clean


def test_a_part_is_four_tables_of_lines(tmp_path: Path) -> None:
    with Rows(tmp_path, 3) as rows:
        rows.entity("Q35493", 143)
        rows.term("Q35493", "zh", "L", 0, "阿拉木图")
        rows.term("Q35493", "kk", "A", 1, "Верный")
        rows.triple("Q35493", "P17", "Q232", 2)
        rows.property("P17", "en", "country")
        rows.add("triples", b"Q1\tP2\tQ3\t1\nQ1\tP2\tQ4\t0\n")
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "000003.entities.tsv": "Q35493\t143\n",
        "000003.terms.tsv": "Q35493\tzh\tL\t0\t阿拉木图\nQ35493\tkk\tA\t1\tВерный\n",
        "000003.triples.tsv": "Q35493\tP17\tQ232\t2\nQ1\tP2\tQ3\t1\nQ1\tP2\tQ4\t0\n",
        "000003.properties.tsv": "P17\ten\tcountry\n",
    }


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\tb", "a b"),
        ("a\r\n\x0b b\u2028c", "a  b c"),
        ("\x00", ""),
        ("half \ud83d", "half"),
        ("и\u0306\tи", "й и"),
        ('say "it", \\n', 'say "it", \\n'),  # nothing is quoted
        ("全角\u3000空白", "全角\u3000空白"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner is a part of the word
    ],
)
def test_a_text_is_one_field_in_composed_characters(text: str, written: str, tmp_path: Path) -> None:
    assert clean(text) == written
    with Rows(tmp_path, 0) as rows:
        rows.term("Q1", "kk", "D", 0, text)
        rows.property("P1", "kk", text)
    lines = [f"Q1\tkk\tD\t0\t{written}\n", f"P1\tkk\t{written}\n"] if written else ["", ""]
    for table, line in zip(("terms", "properties"), lines, strict=True):
        assert (tmp_path / f"000000.{table}.tsv").read_bytes() == line.encode()


def test_an_error_leaves_the_earlier_part_as_it_was(tmp_path: Path) -> None:
    with Rows(tmp_path, 0) as rows:
        rows.entity("Q1", 1)
    with pytest.raises(ZeroDivisionError), Rows(tmp_path, 0) as rows:
        rows.entity("Q2", 1 // 0)
    assert (tmp_path / "000000.entities.tsv").read_text() == "Q1\t1\n"
    assert len(list(tmp_path.iterdir())) == len(COLUMNS)
