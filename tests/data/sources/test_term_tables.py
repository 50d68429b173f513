"""Tables of terms and entity labels: what is left out, and what ends the reading."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from clir_lightning.data.sources.term_pairs import read_translations
from clir_lightning.data.sources.term_tables import read_entries
from clir_lightning.errors import DataError


def entities(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_pairs_with_a_null_label_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    near = {"label_zh": ["城市", None, "首都", ""], "label_kk": ["қала", "астана", None, "бос"]}
    path = entities(
        tmp_path / "entities.jsonl",
        {"q_item_info": {"label_zh": None, "label_kk": "Алматы"}, "adj_item_info": near},
        {"q_item_info": {"label_zh": "阿拜", "label_kk": "Абай"}, "adj_item_info": None},
        {"q_item_info": None, "adj_item_info": {"label_zh": ["线"], "label_kk": ["қал"]}},
        {"q_item_info": {"label_zh": "语", "label_kk": "тіл"}, "adj_item_info": {"label_zh": None, "label_kk": ["б"]}},
    )
    with caplog.at_level(logging.INFO):
        found = list(read_entries(path, "zh", "kk"))
    assert found == [("城市", "қала", 1.0), ("阿拜", "Абай", 1.0), ("线", "қал", 1.0), ("语", "тіл", 1.0)]
    assert "entities.jsonl: 4 pairs of labels with one missing are left out" in caplog.text


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"q_item_info": {"label_zh": "a\ud800", "label_kk": "b"}}, "holds half a character"),
        ({"q_item_info": {"label_zh": "a", "label_kk": "\udc00b"}}, "holds half a character"),
        ({"q_item_info": {"label_zh": "a", "label_kk": 7}}, "7 is not a label"),
        ({"q_item_info": {"label_zh": "a"}}, "'label_kk'"),
        ({"q_item_info": None, "adj_item_info": {"label_zh": ["a", "b"], "label_kk": ["c"]}}, "shorter"),
        ({"q_item_info": None, "adj_item_info": {"label_zh": "ab", "label_kk": "cd"}}, "neighbours are lists"),
        ({"adj_item_info": {}}, "'q_item_info'"),
        ([], "list indices"),
    ],
)
def test_what_is_not_a_label_is_one_line_with_its_place(tmp_path: Path, row: Any, problem: str) -> None:
    whole = {"q_item_info": {"label_zh": "阿拜", "label_kk": "Абай"}}
    path = entities(tmp_path / "entities.jsonl", whole, row)
    with pytest.raises(DataError, match=rf"entities\.jsonl, line 2: no entity labels \(.*{problem}"):
        list(read_entries(path, "zh", "kk"))
    with pytest.raises(DataError, match="line 2"):
        read_translations([str(path)], query_language="zh", document_language="kk", cache=str(tmp_path / "cache"))


def test_a_line_of_brackets_gives_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "entities.jsonl").write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(DataError, match="line 1: no entity labels"):
        list(read_entries(tmp_path / "entities.jsonl", "zh", "kk"))


def test_terms_come_composed(tmp_path: Path) -> None:
    decomposed = "и\u0306ога"  # й as two characters
    (tmp_path / "terms.tsv").write_text(f" e\u0301tude \t{decomposed}\n", encoding="utf-8")
    assert list(read_entries(tmp_path / "terms.tsv", "fr", "kk")) == [("étude", "йога", 1.0)]
    path = entities(tmp_path / "e.jsonl", {"q_item_info": {"label_fr": "e\u0301", "label_kk": decomposed}})
    assert list(read_entries(path, "fr", "kk")) == [("é", "йога", 1.0)]
