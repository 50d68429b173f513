"""Samplings: what is drawn, that epochs differ and seeds repeat, weights, mixtures, files of triples."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from clir_lightning.data.collection import Split
from clir_lightning.data.files.trec import write_run
from clir_lightning.data.sampling.from_run import Hard
from clir_lightning.data.sampling.judged import BestAgainstRandom, Graded, Listwise
from clir_lightning.data.sampling.mixture import Mixture
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sampling.triples import Triples, write_triples
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.types import Qrels, Query, Run

JUDGED = {"a6": 6, "b6": 6, "c3": 3, "d1": 1, "e0": 0, "f0": 0, "g0": 0}
QUERIES = [f"q{i}" for i in range(60)]
SPLIT = Split({q: Query(q, "问", "zh") for q in QUERIES}, Qrels(dict.fromkeys(QUERIES, JUDGED)))


@pytest.mark.parametrize("sampling", [BestAgainstRandom(2), Graded(2), Listwise(3)])
def test_a_function_of_seed_and_epoch(sampling: Sampling) -> None:
    first = sampling(SPLIT, seed=1, epoch=0)
    assert first == sampling(SPLIT, seed=1, epoch=0)
    assert first != sampling(SPLIT, seed=1, epoch=1)
    assert first != sampling(SPLIT, seed=2, epoch=0)
    assert sorted(sample.query_id for sample in first) == sorted(QUERIES)
    assert [sample.query_id for sample in first] != QUERIES
    for sample in first:
        assert len(sample.document_ids) == 3
        assert sample.grades == tuple(JUDGED[document] for document in sample.document_ids)
        assert list(sample.grades) == sorted(sample.grades, reverse=True)


def test_original_takes_the_best_grade_against_zeros() -> None:
    samples = BestAgainstRandom(5)(SPLIT, seed=1, epoch=0)
    assert {sample.grades for sample in samples} == {(6, 0, 0, 0, 0, 0)}
    assert {sample.document_ids[0] for sample in samples} == {"a6", "b6"}
    assert all(set(sample.document_ids[1:]) == {"e0", "f0", "g0"} for sample in samples)  # repeated, for want of more


def test_graded_takes_different_grades_and_weighs_by_the_gap() -> None:
    samples = [s for epoch in range(20) for s in Graded()(SPLIT, seed=1, epoch=epoch)]
    pairs = Counter(sample.grades for sample in samples)
    assert set(pairs) == {(6, 3), (6, 1), (6, 0), (3, 1), (3, 0), (1, 0)}
    # 1/3 for each upper grade, shared evenly by the lower ones: of 1,200 draws 400 / 3, 400 / 2 and 400.
    for grades, expected in {(6, 0): 133, (3, 1): 200, (1, 0): 400}.items():
        assert abs(pairs[grades] - expected) < 60
    one = Graded()(SPLIT, seed=1, epoch=0)
    assert sum(sample.weight for sample in one) / len(one) == pytest.approx(1)
    mean = sum(sample.grades[0] - sample.grades[1] for sample in one) / len(one)
    assert all(s.weight == pytest.approx((s.grades[0] - s.grades[1]) / mean) for s in one)


def test_graded_takes_each_relevant_document_alike_and_weighs_nothing() -> None:
    sampling = Graded(positives="documents", weighted=False)
    samples = [s for epoch in range(20) for s in sampling(SPLIT, seed=1, epoch=epoch)]
    drawn, relevant = Counter(s.document_ids[0] for s in samples), [d for d, grade in JUDGED.items() if grade > 0]
    assert set(drawn) == set(relevant)
    expected = len(samples) / len(relevant)
    assert all(abs(count - expected) < 5 * expected**0.5 for count in drawn.values())
    assert {s.weight for s in samples} == {1.0}
    with pytest.raises(ConfigError, match=r"sampling.positives is 'document'; .*did you mean 'documents'"):
        Graded(positives="document")


def test_listwise_holds_every_grade() -> None:
    for sample in Listwise(5)(SPLIT, seed=1, epoch=0):
        assert set(sample.grades) == {6, 3, 1, 0}
    assert {sample.grades for sample in Listwise(2)(SPLIT, seed=1, epoch=0)} == {(6, 3)}
    assert {len(sample.document_ids) for sample in Listwise(12)(SPLIT, seed=1, epoch=0)} == {12}


def test_hard_negatives_lie_within_the_ranks_and_are_not_relevant(tmp_path: Path) -> None:
    ranking = {"a6": 9.0, "x": 8.0, "e0": 7.0, "d1": 6.0, "y": 5.0, "z": 4.0}
    write_run(Run(dict.fromkeys(QUERIES[:50], ranking)), tmp_path / "run.trec")
    samples = Hard(str(tmp_path / "run.trec"), first=2, last=5)(SPLIT, seed=1, epoch=0)
    assert len(samples) == 50
    assert {sample.document_ids[1] for sample in samples} == {"x", "e0", "y"}
    assert {sample.grades for sample in samples} == {(6, 0)}
    with pytest.raises(DataError, match="no negatives at ranks 4 to 4"):
        Hard(str(tmp_path / "run.trec"), first=4, last=4)(SPLIT, seed=1, epoch=0)
    with pytest.raises(ConfigError, match="run=FILE"):
        Hard(None)(SPLIT, seed=1, epoch=0)


def test_mixture_follows_its_shares() -> None:
    mixture = Mixture({"one": BestAgainstRandom(3), "list": Listwise(4)}, {"one": 0.25, "list": 0.75})
    samples = [s for epoch in range(20) for s in mixture(SPLIT, seed=1, epoch=epoch)]
    lists = sum(sample.grades != (6, 0, 0, 0) for sample in samples)
    assert len(samples) == 1200
    assert abs(lists - 900) < 60
    with pytest.raises(ConfigError, match=r"samples of \[2, 4\] documents"):
        Mixture({"one": BestAgainstRandom(1), "list": Listwise(4)}, {"one": 1, "list": 1})(SPLIT, seed=1, epoch=0)
    with pytest.raises(ConfigError, match="differ in"):
        Mixture({"one": BestAgainstRandom(1)}, {"two": 1})


def test_triples_read_back_in_order(tmp_path: Path) -> None:
    demo = build_demo().split("train")
    samples = BestAgainstRandom(2)(demo, seed=1, epoch=0)
    write_triples(samples, tmp_path / "triples.tsv")
    triples = Triples(str(tmp_path / "triples.tsv"))
    assert triples(demo, seed=5, epoch=3) == samples


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q1\ta6", "2 columns"),
        ("q1\ta6\t", "3 columns"),
        ("q99\ta6\te0", "no training query 'q99'"),
        ("q1\ta6\te0\tf0", "3 d"),
    ],
)
def test_malformed_triples(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "t.tsv").write_text(f"q0\ta6\te0\n{line}\n")
    with pytest.raises(DataError, match=f"line 2: {problem}"):
        Triples(str(tmp_path / "t.tsv"))(SPLIT, seed=1, epoch=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BestAgainstRandom(-1), "negatives is -1; allowed: 0 or more"),
        (lambda: Graded(-1), "negatives is -1; allowed: 0 or more"),
        (lambda: Graded(positives="grade"), "positives is 'grade'; allowed: grades, documents; did you mean 'grades'?"),
        (lambda: Listwise(1), "documents is 1; allowed: 2 or more"),
        (lambda: Listwise(negatives_from="judge"), "negatives_from is 'judge'; allowed: judged, unjudged; did you"),
        (lambda: Hard("r", negatives=0), "negatives is 0; allowed: 1 or more"),
        (lambda: Hard("r", first=0), "first is 0; allowed: 1 or more"),
        (lambda: Hard("r", first=3, last=2), "last is 2; allowed: 3 or more"),
    ],
)
def test_settings_that_cannot_work(make: Callable[[], Sampling], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(f'sampling.{message}')}"):
        make()
