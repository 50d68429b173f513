"""Filling, adding the answers."""

from __future__ import annotations

from clir_lightning.data.candidates import add_missing_relevant, fill_random
from clir_lightning.types import Run

IDS = [f"d{i}" for i in range(20)]


def test_filled_lists_have_the_depth_and_no_relevant_document_is_drawn() -> None:
    qrels = {"q": {"d0": 6, "d1": 3, "d2": 0}}
    for seed in range(20):
        filled = fill_random(Run({"q": {"d5": 2.0}, "r": {}}), IDS, qrels, depth=15, seed=seed)
        assert [len(filled[query]) for query in filled] == [15, 15]
        assert filled.ranking("q")[0] == "d5"
        assert not {"d0", "d1"} & set(filled["q"])
    assert len(fill_random(Run({"q": {}}), IDS, qrels, depth=99, seed=1)["q"]) == 18  # all but the relevant ones


def test_the_seed_alone_decides_what_is_drawn() -> None:
    def drawn(seed: int, ids: list[str]) -> list[str]:
        return fill_random(Run({"q": {"d5": 2.0}}), ids, {}, depth=6, seed=seed).ranking("q")

    assert drawn(1, IDS) == drawn(1, IDS[::-1]) != drawn(2, IDS)


def test_added_relevant_documents_stand_last_and_displace_others_only() -> None:
    run = Run({"q": {"a": 4.0, "r": 3.0, "b": 2.0}}, "BM25")
    added = add_missing_relevant(run, {"q": {"r": 1, "x": 2, "y": 5}}, depth=3)
    assert added.ranking("q") == ["r", "y", "x"]
    assert added.name == "BM25, relevant documents added"
    assert add_missing_relevant(run, {"q": {"x": 1}}, depth=4).ranking("q") == ["a", "r", "b", "x"]
    assert len(add_missing_relevant(run, {"q": dict.fromkeys(IDS, 1)}, depth=3)["q"]) == 3
