"""`RankingDataModule`: what Lightning asks batches of, a training set and two sets of candidates."""

from __future__ import annotations

from collections.abc import Mapping

import pytorch_lightning as pl
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.candidate_set import STAGES, CandidateLists, CandidateSet
from clir_lightning.data.collection import Collection
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.training_set import TrainingSet
from clir_lightning.errors import ConfigError

SPLITS = {"train": "train", "val": "dev", "test": "test1"}


class RankingDataModule(pl.LightningDataModule):
    """A training set and the candidates of validation and test, of one collection and in one kind of batches.

    Args:
        collection: documents, queries and judgements.
        batches: how batches are made, `PairBatches` or `TextBatches`.
        sampling: draws the training samples of an epoch.
        candidates: which documents validation and test score.
        splits: the splits' names, by stage (`train`, `val`, `test`); a stage that is left out keeps its usual one.
        cache: folder of the token store, kept from run to run; `None` keeps tokens in memory.
        seed: decides the training samples and their order.

    Attributes:
        training: the `TrainingSet`.
        candidates: a `CandidateSet` of each of `val` and `test`.
    """

    def __init__(
        self,
        collection: Collection,
        batches: Batches,
        *,
        sampling: Sampling,
        candidates: CandidateLists | None = None,
        splits: Mapping[str, str] = SPLITS,
        cache: str | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.collection = collection
        self.batches = batches
        self.splits = {**SPLITS, **splits}
        self.cache = cache

        # What is scored comes first: a mistake in its files or names is told before any sample is drawn.
        lists = candidates or CandidateLists()
        self.candidates: dict[str, CandidateSet] = {}
        for stage in STAGES:
            run = lists.run(collection, self.splits[stage], stage)
            self.candidates[stage] = CandidateSet(collection, self.splits[stage], run, batches)

        # What is learnt from.
        self.training = TrainingSet(collection, self.splits["train"], sampling, batches, seed=seed)

    def counts(self) -> str:
        """The number of queries of each split, for the log."""
        usage = self.training.usage
        used = f"{usage.used} of {usage.queries}" if usage.left_out else f"{usage.queries}"
        scored = [f"{each.name} {len(each.run)}" for each in self.candidates.values()]
        return ", ".join([f"{self.training.name} {used}", *scored])

    def tokenise(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Tokenise every query and document once. Raises `ConfigError` for a text that the lengths leave no room."""
        documents = self.batches.documents(self.collection.documents, tokenizer, self.cache)
        self.training.tokenise(tokenizer, documents, cache=self.cache)
        for candidates in self.candidates.values():
            candidates.tokenise(tokenizer, documents, cache=self.cache)

    def train_dataloader(self) -> StepLoader:
        """Batches of one epoch of training samples."""
        loader = self._bound(self.training.loader(epochs=self._epochs(), **self._place()))
        if self.trainer is not None:  # workers start fetching before Lightning tells the sampler its epoch
            loader.trainer = self.trainer
            loader.sampler.set_epoch(self.trainer.current_epoch)  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> StepLoader:
        """The candidates of the validation split."""
        return self._bound(self.candidates["val"].loader(**self._place()))

    def test_dataloader(self) -> StepLoader:
        """The candidates of the test split."""
        return self._bound(self.candidates["test"].loader(**self._place()))

    def _epochs(self) -> int:
        """The epochs that there will be, which steps are counted of."""
        if self.trainer is None or self.batches.tokens is None:
            return 1
        if not self.trainer.max_epochs or self.trainer.max_epochs < 1:
            raise ConfigError("batches.tokens counts the steps of all epochs first: set trainer.max_epochs")
        return self.trainer.max_epochs

    def _bound(self, loader: StepLoader) -> StepLoader:
        """A loader whose batches go to the trainer's device."""
        return loader.bound_for(self.trainer.strategy.root_device) if self.trainer else loader

    def _place(self) -> dict[str, int]:
        trainer = self.trainer
        return {"rank": trainer.global_rank, "world_size": trainer.world_size} if trainer else {}
