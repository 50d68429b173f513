"""Judgements of relevant documents alone, as BEIR, MS MARCO and Mr. TyDi have them; queries that are left out."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import write_run
from clir_lightning.data.sampling.from_run import Hard
from clir_lightning.data.sampling.judged import BestAgainstRandom, Graded, Listwise
from clir_lightning.data.sampling.mixture import Mixture
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sampling.triples import Triples
from clir_lightning.data.sampling.usage import Usage
from clir_lightning.data.sources.checks import Problems
from clir_lightning.data.sources.source import Source, load
from clir_lightning.errors import ConfigError
from clir_lightning.losses.contrastive import InfoNCE
from clir_lightning.losses.needs import check_samples
from clir_lightning.losses.pairwise import RankNet
from clir_lightning.losses.pointwise import BinaryCrossEntropy
from clir_lightning.types import Document, Qrels, Query, Run
from data.tokenizers_for_tests import bert_like

DOCUMENTS = {f"d{i}": Document(f"d{i}", f"мәтін {i}", "kk") for i in range(50)}
QUERIES = {f"q{i}": Query(f"q{i}", f"问 {i}", "zh") for i in range(100)}


def collection(**others: dict[str, int]) -> Collection:
    """A hundred queries with a relevant document each and no other judgement, but for `others`."""
    grades = {query: {f"d{i % 50}": 1} for i, query in enumerate(QUERIES)} | others
    return Collection("positives", DOCUMENTS, dict.fromkeys(("train", "dev", "test1"), Split(QUERIES, Qrels(grades))))


@pytest.mark.parametrize(
    "sampling",
    [
        BestAgainstRandom(3, negatives_from="unjudged"),
        Graded(3, negatives_from="unjudged"),
        Listwise(4, negatives_from="unjudged"),
    ],
)
def test_negatives_come_from_unjudged_documents(sampling: Sampling) -> None:
    split = collection().split("train")
    seen: Counter[str] = Counter()
    for epoch in range(40):
        samples = sampling(split, seed=1, epoch=epoch)
        assert samples == sampling(split, seed=1, epoch=epoch)
        assert samples != sampling(split, seed=2, epoch=epoch)
        assert samples != sampling(split, seed=1, epoch=epoch + 1)
        assert sorted(sample.query_id for sample in samples) == sorted(QUERIES)
        for sample in samples:
            assert sample.grades == (1, 0, 0, 0)
            assert sample.document_ids[0] in split.qrels[sample.query_id]
            assert len(set(sample.document_ids)) == 4
            seen.update(sample.document_ids[1:])
    # 40 epochs · 100 queries · 3 negatives over 50 documents: 240 each, deviation 15.
    assert set(seen) == set(DOCUMENTS)
    assert all(abs(count - 240) < 75 for count in seen.values())


def test_unjudged_documents_stand_in_for_those_judged_0() -> None:
    judged = {"d1": 2, "d2": 1, "d3": 0, "d4": 0}
    split = collection(q0=judged).split("train")
    drawn: set[str] = set()
    for epoch in range(60):
        (sample,) = (
            s for s in BestAgainstRandom(5, negatives_from="unjudged")(split, seed=1, epoch=epoch) if s.query_id == "q0"
        )
        assert (sample.document_ids[0], sample.grades) == ("d1", (2, 0, 0, 0, 0, 0))
        drawn.update(sample.document_ids[1:])
    assert drawn == set(DOCUMENTS) - set(judged)


def test_a_prepared_collection_draws_the_same_unjudged_documents(tmp_path: Path) -> None:
    grades = {query: {f"d{i % 50}": 1} for i, query in enumerate(QUERIES)}
    source = Source(
        "positives",
        "zh",
        "kk",
        lambda: ((i, document.text) for i, document in DOCUMENTS.items()),
        {"train": lambda: ((i, query.text, grades[i]) for i, query in QUERIES.items())},
    )
    stored = load(source, Problems(), stamps=["x"], settings=None, cache=str(tmp_path)).split("train")
    sampling = BestAgainstRandom(2, negatives_from="unjudged")
    assert sampling(stored, seed=1, epoch=3) == sampling(collection().split("train"), seed=1, epoch=3)


def test_fewer_unjudged_documents_than_negatives_are_repeated_and_none_leave_the_query_out() -> None:
    nearly = {f"d{i}": 1 for i in range(49)}
    every = {f"d{i}": 1 for i in range(50)}
    split = collection(q0=nearly, q1=every).split("train")
    sampling = BestAgainstRandom(3, negatives_from="unjudged")
    samples = sampling(split, seed=1, epoch=0)
    (short,) = (sample for sample in samples if sample.query_id == "q0")
    assert short.document_ids[1:] == ("d49", "d49", "d49")
    assert str(Usage.of(sampling, split, samples)) == "99 of 100 used; left out: 1 without an unjudged document"


@pytest.mark.parametrize("sampling", [BestAgainstRandom(0), Graded(0), Graded(0, positives="documents")])
def test_positives_alone_are_for_in_batch_negatives(sampling: Sampling) -> None:
    data = RankingDataModule(collection(), TextBatches(), sampling=sampling)
    assert {(len(s.document_ids), s.grades, s.weight) for s in data.training.samples(0)} == {(1, (1,), 1.0)}
    assert len(data.training.samples(0)) == 100
    data.tokenise(bert_like())
    assert {tuple(batch.grades.shape) for batch in data.train_dataloader()} == {(32, 1), (4, 1)}
    check_samples({"infonce": InfoNCE()}, data.training.samples(0))
    with pytest.raises(ConfigError, match="loss infonce needs 2 or more documents per query, got 1"):
        check_samples({"infonce": InfoNCE(in_batch=False)}, data.training.samples(0))
    with pytest.raises(ConfigError, match="loss bce needs documents of different grades"):
        check_samples({"bce": BinaryCrossEntropy()}, data.training.samples(0))
    with pytest.raises(ConfigError, match="loss ranknet needs 2 or more documents per query, got 1"):
        check_samples({"ranknet": RankNet()}, data.training.samples(0))


def test_queries_that_are_left_out_are_counted_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    few = collection(q0={"d0": 1, "d1": 0}, q1={"d1": 0}, q2={})
    with caplog.at_level(logging.WARNING):
        data = RankingDataModule(few, PairBatches(), sampling=BestAgainstRandom())
    assert len(data.training.samples(0)) == 1
    said = "training queries: 1 of 100 used; left out: 2 without a relevant document, 97 without a grade-0 document"
    assert said in caplog.text
    assert "sampling.negatives_from=unjudged" in caplog.text
    assert data.counts() == "train 1 of 100, dev 100, test1 100"


def test_nothing_is_said_where_all_queries_are_used(caplog: pytest.LogCaptureFixture) -> None:
    data = RankingDataModule(collection(), PairBatches(), sampling=BestAgainstRandom(negatives_from="unjudged"))
    assert "training queries" not in caplog.text
    assert data.counts() == "train 100, dev 100, test1 100"


def test_a_sampling_that_can_use_no_query_names_the_cure() -> None:
    with pytest.raises(ConfigError) as caught:
        RankingDataModule(collection(), PairBatches(), sampling=BestAgainstRandom())
    said = str(caught.value)
    assert said.startswith("split 'train' has no query that the sampling can use: 0 of 100 used; left out: 100 without")
    for cure in ("sampling.negatives_from=unjudged", "sampling=hard", "sampling.negatives=0"):
        assert cure in said
    with pytest.raises(ConfigError, match=r"sampling.negatives_from is 'unjudgd'; .*did you mean 'unjudged'"):
        BestAgainstRandom(negatives_from="unjudgd")


def test_each_sampling_says_what_it_lacks(tmp_path: Path) -> None:
    write_run(Run({"q0": {"d9": 1.0}, "q3": {"d8": 1.0}}), tmp_path / "run.trec")
    (tmp_path / "t.tsv").write_text("q0\td0\td9\n")
    split = collection(q1={"d1": 2, "d2": 1}, q2={"d2": 0}).split("train")
    hard, triples = Hard(str(tmp_path / "run.trec"), last=5), Triples(str(tmp_path / "t.tsv"))
    expected: list[tuple[Sampling, list[str | None]]] = [
        (Graded(), ["without a document of a lower grade", None, "without a relevant document"]),
        (Listwise(2), ["without a grade-0 document", "without a grade-0 document", "without a relevant document"]),
        (
            hard,
            [None, f"without a negative at ranks 1 to 5 of {tmp_path}/run.trec", "without a relevant document"],
        ),
        (triples, [None, *[f"without a line in {tmp_path}/t.tsv"] * 2]),
        (
            Mixture({"graded": Graded(), "original": BestAgainstRandom()}, {"graded": 1, "original": 1}),
            [
                "without a document of a lower grade and without a grade-0 document",
                None,
                "without a relevant document",
            ],
        ),
    ]
    for sampling, reasons in expected:
        assert [sampling.lacks(split, query) for query in ("q0", "q1", "q2")] == reasons
        used = {sample.query_id for sample in sampling(split, seed=1, epoch=0)}
        assert {query for query in split.queries if sampling.lacks(split, query) is None} == used


def test_a_run_gives_negatives_where_only_positives_are_judged(tmp_path: Path) -> None:
    write_run(Run({query: {"d7": 2.0, f"d{i % 50}": 1.0} for i, query in enumerate(QUERIES)}), tmp_path / "run.trec")
    samples = Hard(str(tmp_path / "run.trec"))(collection().split("train"), seed=1, epoch=0)
    assert len(samples) == 98  # of q7 and q57, d7 is the positive, and the run has no other document
    assert {sample.document_ids[1] for sample in samples} == {"d7"}
