"""The training part alone: the samples and batches of each epoch, and which queries give some."""

import pytest

from clir_lightning.data.batches.kinds import PairBatches, TextBatches
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.collection import Collection
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.data.sources.demo import build_demo
from clir_lightning.data.training_set import TrainingSet
from clir_lightning.types import Sample
from data.tokenizers_for_tests import bert_like


@pytest.mark.parametrize("batches", [PairBatches(size=500), TextBatches(size=500)], ids=["pairs", "texts"])
def test_each_epoch_has_the_samplings_own_samples_in_its_order(batches: Batches) -> None:
    demo = build_demo()
    sampling = BestAgainstRandom(1)
    training = TrainingSet(demo, "train", sampling, batches, seed=7)
    with pytest.raises(RuntimeError, match="call tokenise"):
        training.loader()
    training.tokenise(bert_like(), batches.documents(demo.documents, bert_like()))
    loader = training.loader()
    drawn: list[list[Sample]] = []
    for epoch in (0, 1, 0):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        drawn.append([sample for batch in loader for sample in batch.samples])
        assert drawn[-1] == sampling(demo.split("train"), seed=7, epoch=epoch) == training.samples(epoch)
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_split_that_is_not_named_keeps_its_usual_one(collection: Collection) -> None:
    data = RankingDataModule(collection, PairBatches(), sampling=BestAgainstRandom(), splits={"val": "test1"})
    assert data.splits == {"train": "train", "val": "test1", "test": "test1"}
    assert [each.name for each in data.candidates.values()] == ["test1", "test1"]
    assert data.counts() == "train 2, test1 1, test1 1"
