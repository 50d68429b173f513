"""Links against known entities: counts by hand, and each cause of a failure."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from clir_lightning.errors import DataError
from clir_lightning.knowledge import coverage as module
from clir_lightning.knowledge.coverage import coverage, read_truth
from clir_lightning.knowledge.linking import Linker
from knowledge.little_graphs import KAZAKH, LANGUAGES, little

GRAPH = little(
    {**LANGUAGES, "Q50": (1, {"zh": "哈萨克语"}), "Q51": (1, {"zh": "阿拉木图"}), "Q35493": (1, {"zh": "阿拉木图"})}
)
TEXTS = {
    "right": "哈萨克语",
    "folded": "哈薩克語",
    "same name": "哈萨克语",
    "absent": "语",
    "nameless": "学哈萨克文",
    "part": "学哈萨克文",
    "else": "语",
    "nothing": "？",
    "unknown": "阿拉木图",
    "unlinked": "x",
    "two": "从哈萨克斯坦到哈萨克文",
}
TRUTH = {
    "right": KAZAKH,
    "folded": KAZAKH,
    "same name": "Q50",
    "absent": "Q999",
    "nameless": "Q33935",
    "part": "Q232",
    "else": "Q232",
    "nothing": KAZAKH,
    "elsewhere": "Q1",
}


def test_counts_and_causes() -> None:
    links = dict(zip(TEXTS, Linker(GRAPH, "zh").links(list(TEXTS.values())), strict=True))
    result = coverage(GRAPH, "zh", links, TRUTH)
    assert (result.texts, result.linked, result.known, result.right) == (11, 9, 8, 2)
    assert result.rules == {"label": 5, "folded": 1, "longest": 3}
    assert result.rules_right == {"label": (1, 4), "longest": (0, 2), "folded": (1, 1)}

    # 阿拉木图 names two, 哈萨克语 as well, two times in this spelling and once in another.
    assert result.ambiguous == 4
    assert {why: [(text, entity) for text, entity, _ in missed] for why, missed in result.missed.items()} == {
        module.OTHER: [("same name", "Q50")],
        module.ABSENT: [("absent", "Q999")],
        module.NAMELESS: [("nameless", "Q33935")],
        module.PART: [("part", "Q232")],
        module.ELSE: [("else", "Q232")],
        module.NOTHING: [("nothing", KAZAKH)],
    }
    (_, _, link), *_ = result.missed[module.ELSE]
    assert link is not None
    assert link.entity == "Q1"


def test_nothing_to_link() -> None:
    result = coverage(GRAPH, "zh", {}, TRUTH)
    assert (result.texts, result.linked, result.known, result.right, result.missed) == (0, 0, 0, 0, {})


def test_known_entities_of_both_kinds_of_files(tmp_path: Path) -> None:
    table = tmp_path / "ids.tsv"
    table.write_text("1\tQ5\n2\tQ6\n")
    lines = tmp_path / "entities.jsonl.gz"
    lines.write_bytes(gzip.compress(b'{"query_id": "7", "q_item_qid": "Q8", "query": "x"}\n'))
    assert read_truth([str(table), str(lines)]) == {"1": "Q5", "2": "Q6", "7": "Q8"}


@pytest.mark.parametrize("line", ["{", "[]", '{"query_id": "7"}', "null"])
def test_a_line_without_a_known_entity_is_an_error(line: str, tmp_path: Path) -> None:
    path = tmp_path / "entities.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match=r"entities\.jsonl, line 1: no known entity"):
        read_truth([str(path)])
