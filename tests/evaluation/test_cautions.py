"""Each reason for caution is said, and nothing where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clir_lightning.data.files.trec import write_qrels
from clir_lightning.evaluation.cautions import cautions
from clir_lightning.evaluation.comparison import Member, System
from clir_lightning.types import Run

QRELS = {"q": {"a": 1}, "p": {"a": 1}}
SPLITS = {"splits": {"test": "test1"}}


def member(seed: int | None, folder: Path | None = None, config: dict[str, Any] | None = None) -> Member:
    return Member(Run({"q": {"a": 1.0}}), QRELS, seed, folder, SPLITS if config is None else config)


def test_two_seeds_of_one_commit_and_a_run_file_call_for_none(tmp_path: Path) -> None:
    folders = [tmp_path / "1", tmp_path / "2"]
    for folder in folders:
        write_qrels({"other": {"a": 1}}, folder / "runs" / "val.qrels")
    ours = System("ours", tuple(member(seed, folder) for seed, folder in enumerate(folders)))
    file = System("bm25", (member(None),))
    assert cautions([ours, file], dict.fromkeys(folders, "c1")) == []


def test_a_query_of_dev_that_shares_no_more_than_its_id_with_one_of_test_is_another_query(tmp_path: Path) -> None:
    write_qrels({"q": {"b": 1}, "p": {"a": 1, "c": 1}}, tmp_path / "runs" / "val.qrels")
    system = System("ours", (member(1, tmp_path), member(2, tmp_path)))
    assert cautions([system], {}) == []


def test_one_seed_and_other_commits(tmp_path: Path) -> None:
    assert cautions([System("ours", (member(1),))], {}) == [
        "ours: one seed: nothing tells how much another would differ"
    ]
    pair = System("ours", (member(1, tmp_path / "1"), member(2, tmp_path / "2")))
    (line,) = cautions([pair], {tmp_path / "1": "a", tmp_path / "2": "b"})
    assert "different commits" in line


def test_each_system_has_its_own_lines_and_usual_names_of_splits_are_not_a_reason() -> None:
    configs: dict[str, dict[str, Any]] = {"a": {}, "b": {"splits": {}}}
    alone = [System(name, (member(1, None, config),)) for name, config in configs.items()]
    one_seed = "one seed: nothing tells how much another would differ"
    assert cautions(alone, {}) == [f"a: {one_seed}", f"b: {one_seed}"]
    swapped = System("c", tuple(member(seed, None, {"splits": {"val": "test1"}}) for seed in (1, 2)))
    assert cautions([swapped], {}) == [
        "c: dev and test are one split, 'test1': it was chosen by the queries that it is measured by"
    ]


def test_choosing_by_the_test_queries(tmp_path: Path) -> None:
    by_test = {"callbacks": {"best": {"monitor": "test/ndcg_10"}}}
    same = {"splits": {"val": "test1", "test": "test1"}}
    write_qrels({"q": {"a": 1}}, tmp_path / "runs" / "val.qrels")
    members = (member(1, tmp_path, by_test), member(2, None, same))
    lines = cautions([System("ours", members)], {})
    assert [line.partition(":")[0] for line in lines] == ["ours"] * 3
    assert "test/ndcg_10 chose its epoch" in lines[0]
    assert "1 of 2 test queries are validation queries too" in lines[1]
    assert "dev and test are one split, 'test1'" in lines[2]
