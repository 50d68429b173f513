"""A teacher's scores: those of each pair's line in the run file, read once, on the batches in the samples' order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from clir_lightning.configuration import config_folder
from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import write_run
from clir_lightning.data.sampling import teacher
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sampling.teacher import Taught
from clir_lightning.data.sampling.usage import Usage
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.errors import DataError
from clir_lightning.jobs import assembly
from clir_lightning.scoring.computing import Computing
from clir_lightning.types import Qrels, Run, Sample
from data.tokenizers_for_tests import bert_like

SPLIT = Split({}, Qrels({}))
SCORES = {("q1", "a"): 9.0, ("q1", "b"): 8.0, ("q1", "c"): -1.0, ("q2", "b"): 5.5, ("q2", "d"): 0.25, ("q2", "a"): 1.0}


class Given:
    """These samples, moved on by one document in each epoch."""

    def __init__(self, *samples: tuple[str, str, str]) -> None:
        self.pairs = samples

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        return [Sample(query, tuple(documents[epoch:]), (6, 0)) for query, *documents in self.pairs]

    def lacks(self, split: Split, query_id: str) -> str | None:
        return f"without {query_id}"


@pytest.fixture
def path(tmp_path: Path) -> str:
    lines = [f"{query} Q0 {document} 1 {score} t\n" for (query, document), score in SCORES.items()]
    (tmp_path / "t.trec").write_text("".join(lines))
    return str(tmp_path / "t.trec")


def test_each_sample_gets_its_own_pairs_scores_in_its_order(path: str) -> None:
    taught = Taught(Given(("q2", "d", "b"), ("q1", "a", "b")), path)
    assert taught(SPLIT, seed=1, epoch=0) == [
        Sample("q2", ("d", "b"), (6, 0), teacher=(0.25, 5.5)),
        Sample("q1", ("a", "b"), (6, 0), teacher=(9.0, 8.0)),
    ]
    assert taught.lacks(SPLIT, "q7") == "without q7"


def test_without_a_file_samples_stay_as_they_are() -> None:
    (sample,) = Taught(Given(("new", "a", "b")))(SPLIT, seed=1, epoch=0)
    assert sample == Sample("new", ("a", "b"), (6, 0))


def test_the_file_is_read_once(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(name: str) -> Run:
        read.append(name)
        return Run({"q1": {"a": 1.0, "b": 2.0}})

    monkeypatch.setattr(teacher, "read_run", counted)
    taught = Taught(Given(("q1", "a", "b")), path)
    assert read == []  # nothing is read before samples are asked for
    taught(SPLIT, seed=1, epoch=0)
    taught(SPLIT, seed=1, epoch=0)
    assert read == [path]


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        (("new", "a", "b"), "no score of document 'a' for training query 'new'"),
        (("q1", "a", "d"), "no score of document 'd' for training query 'q1'"),
    ],
)
def test_a_missing_pair_is_named_with_file_and_cure(sample: tuple[str, str, str], told: str, path: str) -> None:
    with pytest.raises(DataError, match=rf"t\.trec: {told}; score every .*: clir evaluate model=TEACHER split=train"):
        Taught(Given(sample), path)(SPLIT, seed=1, epoch=0)


@pytest.mark.parametrize("kind", [PairBatches, TextBatches])
def test_batches_carry_the_scores_beside_the_grades(kind: type[Batches], path: str, collection: Collection) -> None:
    def batches(sampling: Sampling) -> list[torch.Tensor | None]:
        data = RankingDataModule(collection, kind(size=2), sampling=sampling)
        data.tokenise(bert_like())
        (batch,) = data.train_dataloader()
        moved = batch.to(torch.device("meta"))
        assert moved.teacher is None or moved.teacher.device.type == "meta"
        expected = [[SCORES[s.query_id, d] for d in s.document_ids] for s in batch.samples]
        assert batch.teacher is None or batch.teacher.tolist() == expected
        return [batch.teacher]

    (scores,) = batches(Taught(BestAgainstRandom(), path))
    assert scores is not None
    assert scores.shape == (2, 2)
    assert batches(BestAgainstRandom()) == [None]


def test_parts_of_a_batch_keep_their_queries_scores(path: str, collection: Collection) -> None:
    data = RankingDataModule(collection, PairBatches(size=2), sampling=Taught(BestAgainstRandom(), path))
    data.tokenise(bert_like())
    (batch,) = data.train_dataloader()
    parts = list(batch.parts(1))
    assert [part.teacher.tolist() for part in parts] == [[row] for row in batch.teacher.tolist()]
    assert batch.pairs(torch.tensor([0])).teacher is None


def test_queries_that_give_no_sample_are_counted_as_without_a_teacher(collection: Collection, path: str) -> None:
    split = collection.split("train")
    plain, taught = BestAgainstRandom(2), Taught(BestAgainstRandom(2), path)
    used = [Usage.of(each, split, each(split, seed=1, epoch=0)) for each in (plain, taught)]
    assert str(used[0]) == str(used[1])


@pytest.mark.slow
def test_the_setting_puts_the_scores_on_the_samples_of_a_training(tmp_path: Path) -> None:
    """A document's score is its grade and a quarter."""
    qrels = build_demo().split("train").qrels
    scores = {query: {document: grade + 0.25 for document, grade in qrels[query].items()} for query in qrels}
    write_run(Run(scores), tmp_path / "t.trec")
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("train", [f"teacher={tmp_path}/t.trec", "sampling.negatives=2"])
    samples = assembly.make_data(config, Computing()).training.samples(0)
    assert len(samples) > 100
    assert all(sample.teacher == tuple(grade + 0.25 for grade in sample.grades) for sample in samples)
