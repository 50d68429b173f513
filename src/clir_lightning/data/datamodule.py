"""`RankingDataModule`: training pairs and candidate lists, as batches of token ids."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Protocol

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Sampler
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batching import Batch, PairDataset, ScoringBatches, TrainingBatches
from clir_lightning.data.collection import Collection, Split, candidates
from clir_lightning.data.tokens import PairTemplate, tokenise
from clir_lightning.errors import ConfigError
from clir_lightning.types import Run, Sample

log = logging.getLogger(__name__)


class Sampling(Protocol):
    """Draws the training samples of one epoch; the same `(seed, epoch)` gives the same samples."""

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """The samples of an epoch, in training order."""
        ...


class RankingDataModule(pl.LightningDataModule):
    """Training batches from `train`, candidate lists of `dev` and `test`.

    Args:
        collection: documents, queries and judgements.
        sampling: draws the training samples of an epoch.
        train, dev, test: the splits' names.
        depth: candidates a query in dev and test.
        dev_queries, test_queries: score only the first so many queries of a seeded order; `None` for all.
        batch_size: queries in a training batch, over all processes.
        score_batch_size: pairs in a scoring batch.
        max_length: tokens of a pair, special ones included; only the document is cut.
        workers: processes that assemble batches beside the training one.
        seed: decides samples, their order and the candidates' order.
    """

    def __init__(
        self,
        collection: Collection,
        sampling: Sampling,
        *,
        train: str = "train",
        dev: str = "dev",
        test: str = "test1",
        depth: int = 100,
        dev_queries: int | None = None,
        test_queries: int | None = None,
        batch_size: int = 32,
        score_batch_size: int = 128,
        max_length: int = 256,
        workers: int = 0,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.collection, self.sampling, self.seed = collection, sampling, seed
        self.splits = {"train": train, "val": dev, "test": test}
        self.batch_size, self.score_batch_size = batch_size, score_batch_size
        self.max_length, self.workers = max_length, workers
        limits = {"val": dev_queries, "test": test_queries}
        self.candidates: dict[str, Run] = {
            stage: candidates(collection, self.splits[stage], depth=depth, seed=seed, limit=limits[stage])
            for stage in ("val", "test")
        }
        if not sampling(collection.split(train), seed=seed, epoch=0):
            raise ConfigError(f"split {train!r} has no query with both a relevant and a grade-0 document")
        self.dataset: PairDataset | None = None

    def qrels(self, stage: str) -> dict[str, dict[str, int]]:
        """The full judgements of the queries that the stage (`val`, `test`) scores."""
        qrels = self.collection.split(self.splits[stage]).qrels
        return {query: dict(qrels[query]) for query in self.candidates[stage]}

    def counts(self) -> str:
        """The number of queries of each split, for the log."""
        sizes = {split: len(self._queries(split)) for split in self.splits.values()}
        return ", ".join(f"{split} {size}" for split, size in sizes.items())

    def tokenise(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Tokenise every query and document once. Raises `ConfigError` for a query that leaves no room."""
        wanted = {name: query for part in self.splits.values() for name, query in self._queries(part)}
        queries = tokenise(wanted, tokenizer, name="queries")
        documents = tokenise(self.collection.documents, tokenizer, name="documents")
        template = PairTemplate.of(tokenizer)
        longest = max(wanted, key=queries.length)
        template.room(queries.length(longest), self.max_length)
        self.dataset = PairDataset(queries, documents, template, tokenizer.pad_token_id, self.max_length)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of one epoch of training samples."""
        draw = partial(self._draw, self.collection.split(self.splits["train"]))
        return self._loader(TrainingBatches(draw, batch_size=self.batch_size, **self._place()))

    def val_dataloader(self) -> DataLoader[Batch]:
        """The dev split's candidates."""
        return self._scoring("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """The test split's candidates."""
        return self._scoring("test")

    def _queries(self, part: str) -> list[tuple[str, Any]]:
        queries = self.collection.split(part).queries
        stage = next(stage for stage, split in self.splits.items() if split == part)
        return [(query, queries[query]) for query in self.candidates.get(stage, queries)]

    def _draw(self, split: Split, epoch: int) -> list[Sample]:
        return self.sampling(split, seed=self.seed, epoch=epoch)

    def _place(self) -> dict[str, int]:
        trainer = self.trainer
        return {"rank": trainer.global_rank, "world_size": trainer.world_size} if trainer else {}

    def _scoring(self, stage: str) -> DataLoader[Batch]:
        dataset = self._dataset()

        def length(query: str, document: str) -> int:
            return dataset.queries.length(query) + dataset.documents.length(document)

        batches = ScoringBatches(
            self.candidates[stage], length=length, batch_size=self.score_batch_size, **self._place()
        )
        return self._loader(batches)

    def _dataset(self) -> PairDataset:
        if self.dataset is None:
            raise RuntimeError("call tokenise(tokenizer) before asking for batches")
        return self.dataset

    def _loader(self, batches: Sampler[list[Sample]]) -> DataLoader[Batch]:
        # The sampler yields whole lists of samples and the dataset makes a batch of each: no collation is left to do.
        return DataLoader(
            self._dataset(),
            sampler=batches,
            batch_size=None,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )
