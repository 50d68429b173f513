"""Candidate lists: exactly the depth, filled up, cut from below, in an order that only the seed decides."""

from collections import Counter

import pytest

from clir_lightning.data.candidates import candidates, candidates_from
from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import DataError
from clir_lightning.types import Document, Qrels, Query, Run


def collection(judged: dict[str, int], documents: int = 20) -> Collection:
    texts = {f"d{i}": Document(f"d{i}", f"text {i}", "kk") for i in range(documents)}
    split = Split({"q": Query("q", "问", "zh"), "r": Query("r", "答", "zh")}, Qrels({"q": judged, "r": judged}))
    return Collection("toy", texts, {"dev": split})


def test_exactly_depth() -> None:
    judged = {f"d{i}": 6 - i for i in range(6)}
    for depth in (1, 6, 10, 20):
        assert {len(scores) for scores in candidates(collection(judged), "dev", depth=depth, seed=1).values()} == {
            depth
        }
    assert len(candidates(collection(judged), "dev", depth=99, seed=1)["q"]) == 20  # there are no more


def test_filled_with_unjudged_documents_and_cut_from_the_lowest_grade() -> None:
    judged = {"d0": 0, "d1": 6, "d2": 3, "d3": 1}
    assert set(candidates(collection(judged), "dev", depth=2, seed=1)["q"]) == {"d1", "d2"}
    filled = candidates(collection(judged), "dev", depth=8, seed=1)["q"]
    assert set(judged) < set(filled)
    assert len(filled) == 8


def test_the_seed_alone_decides_the_order() -> None:
    judged = {f"d{i}": 6 for i in range(12)}
    backwards = dict(reversed(judged.items()))
    first = candidates(collection(judged), "dev", depth=12, seed=1)
    assert first == candidates(collection(judged), "dev", depth=12, seed=1)
    assert first.ranking("q") != candidates(collection(judged), "dev", depth=12, seed=2).ranking("q")
    assert first.ranking("q") != first.ranking("r")
    assert first.ranking("q") != list(judged)
    assert candidates(collection(backwards), "dev", depth=12, seed=1).ranking("q") == first.ranking("q")


def test_limit_keeps_a_prefix_of_the_seeded_order() -> None:
    judged = {"d0": 1, "d1": 0}
    both = list(candidates(collection(judged), "dev", depth=2, seed=5))
    assert list(candidates(collection(judged), "dev", depth=2, seed=5, limit=1)) == both[:1]


def test_lists_of_a_run_are_cut_and_a_query_without_one_is_kept_empty() -> None:
    toy = collection({"d0": 1, "d1": 0})
    taken = candidates_from(Run({"q": {"d3": 1.0, "d0": 3.0, "d9": 2.0}}, "BM25"), toy, "dev", depth=2, seed=5)
    assert taken.ranking("q") == ["d0", "d9"]
    assert taken["r"] == {}
    assert taken.name == "BM25"
    assert list(taken) == list(candidates(toy, "dev", depth=2, seed=5))


def test_a_run_of_something_else_is_an_error() -> None:
    toy = collection({"d0": 1})
    with pytest.raises(DataError, match="has document 'zz', the collection has not"):
        candidates_from(Run({"q": {"zz": 1.0}}), toy, "dev", depth=2, seed=5)
    with pytest.raises(DataError, match="has no query of split 'dev'"):
        candidates_from(Run({"elsewhere": {"d0": 1.0}}), toy, "dev", depth=2, seed=5)


def test_a_cut_prefers_no_documents_by_their_ids() -> None:
    """Ids often tell a document's kind: lists cut in their order would hold the first kind alone."""
    judged = {"d3": 6} | {f"d{i}": 0 for i in range(20) if i != 3}
    kept: Counter[str] = Counter()
    for seed in range(200):
        kept.update(candidates(collection(judged), "dev", depth=8, seed=seed).ranking("q"))
    assert kept["d3"] == 200
    others = [kept[f"d{i}"] for i in range(20) if i != 3]
    assert min(others) > 40  # 200 · 7/19 = 74 each, deviation 7
    assert max(others) < 108
