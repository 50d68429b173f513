"""`RankingDataModule`: training pairs and candidate lists, as batches of token ids."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batching import Batch, PairDataset
from clir_lightning.data.collection import Collection, candidates, candidates_from
from clir_lightning.data.pairs import PairAssembler, PairTemplate
from clir_lightning.data.sampling import Sampling
from clir_lightning.data.steps import ScoringBatches, TrainingBatches
from clir_lightning.data.tokens import as_rows, tokenise
from clir_lightning.data.trec import read_run
from clir_lightning.errors import ConfigError, at_least
from clir_lightning.types import Run, Sample

log = logging.getLogger(__name__)


def _candidates(path: str | None, collection: Collection, split: str, depth: int, seed: int, limit: int | None) -> Run:
    """The lists of a run file, or without one the judged documents."""
    if path is None:
        return candidates(collection, split, depth=depth, seed=seed, limit=limit)
    return candidates_from(read_run(path), collection, split, depth=depth, seed=seed, limit=limit)


class StepLoader(DataLoader[Any]):
    """A loader that a resumed training enters where it was left: Lightning asks for its state and gives it back."""

    trainer: pl.Trainer | None = None  # of training loaders

    def state_dict(self) -> dict[str, int]:
        """The steps of this epoch that training has taken, whatever has been fetched ahead."""
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress if self.trainer else None
        return {"steps": progress.current.processed if progress else 0}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Leave those steps out of the next epoch."""
        self.sampler.skip = state_dict["steps"]  # type: ignore[attr-defined]


class RankingDataModule(pl.LightningDataModule):
    """Training batches from `train`, candidate lists of `dev` and `test`.

    Args:
        collection: documents, queries and judgements.
        sampling: draws the training samples of an epoch.
        train, dev, test: the splits' names.
        candidates: TREC run files whose lists are scored, by stage (`val`, `test`); without one, the judged documents.
        depth: candidates a query in dev and test.
        dev_queries, test_queries: score only the first so many queries of a seeded order; `None` for all.
        batch_size: queries in a training batch, over all processes; `None` for no such limit.
        batch_tokens: tokens in a training batch, padding included, over all processes; such batches are sorted by
            length within shuffled mega-batches. `None` for batches of `batch_size` in the order drawn.
        score_batch_size: pairs in a scoring batch; `None` for no such limit.
        score_batch_tokens: tokens in a scoring batch, padding included; `None` for no such limit.
        max_length: tokens of a pair, special ones included; only the document is cut.
        query_length, document_length: tokens that queries and documents are cut to before that; `None` cuts neither.
        workers: processes that assemble batches beside the training one.
        cache: folder of the token store, kept from run to run; `None` keeps tokens in memory.
        seed: decides the training samples and their order.
        candidate_seed: decides what fills short lists, the candidates' order and which queries a limit keeps: the same
            for every `seed`, so that runs of several seeds are judged on the same lists.
    """

    def __init__(
        self,
        collection: Collection,
        sampling: Sampling,
        *,
        train: str = "train",
        dev: str = "dev",
        test: str = "test1",
        candidates: Mapping[str, str | None] | None = None,
        depth: int = 100,
        dev_queries: int | None = None,
        test_queries: int | None = None,
        batch_size: int | None = 32,
        batch_tokens: int | None = None,
        score_batch_size: int | None = 128,
        score_batch_tokens: int | None = None,
        max_length: int = 256,
        query_length: int | None = None,
        document_length: int | None = None,
        workers: int = 0,
        cache: str | None = None,
        seed: int = 1,
        candidate_seed: int = 1,
    ) -> None:
        super().__init__()
        self.collection, self.sampling, self.seed = collection, sampling, seed
        self.splits = {"train": train, "val": dev, "test": test}
        for name, limits in {
            "batch_size or batch_tokens": (batch_size, batch_tokens),
            "score_batch_size or score_batch_tokens": (score_batch_size, score_batch_tokens),
        }.items():
            given = [limit for limit in limits if limit is not None]
            if not given or min(given) < 1:
                raise ConfigError(f"datamodule.{name} must be a number from 1")
        self.batch_size, self.batch_tokens = batch_size, batch_tokens
        self.score_batch_size, self.score_batch_tokens = score_batch_size, score_batch_tokens
        self.max_length, self.workers, self.cache = max_length, workers, cache
        self.query_length, self.document_length = query_length, document_length
        at_least(depth, 1, "datamodule.depth")
        for name, length in {"query_length": query_length, "document_length": document_length}.items():
            if length is not None and length < 1:
                raise ConfigError(f"datamodule.{name} is {length}; allowed: 1 or more, or null")
        shown = {"val": dev_queries, "test": test_queries}
        self.candidates: dict[str, Run] = {
            stage: _candidates(
                (candidates or {}).get(stage), collection, self.splits[stage], depth, candidate_seed, shown[stage]
            )
            for stage in ("val", "test")
        }
        self._drawn: tuple[int, list[Sample]] | None = None
        if not self._draw(0):
            raise ConfigError(
                f"split {train!r} has no query that the sampling can use: with both a relevant and a grade-0 document"
            )
        self.dataset: PairDataset | None = None

    def qrels(self, stage: str) -> dict[str, dict[str, int]]:
        """The full judgements of the queries that the stage (`val`, `test`) scores."""
        qrels = self.collection.split(self.splits[stage]).qrels
        return {query: dict(qrels[query]) for query in self.candidates[stage]}

    def samples(self, epoch: int) -> list[Sample]:
        """The training samples of an epoch."""
        return self._draw(epoch)

    def counts(self) -> str:
        """The number of queries of each split, for the log."""
        return ", ".join(f"{split} {len(self._queries(stage))}" for stage, split in self.splits.items())

    def tokenise(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Tokenise every query and document once. Raises `ConfigError` for a query that leaves no room."""
        wanted = {name: query for stage in self.splits for name, query in self._queries(stage)}
        queries = tokenise(wanted, tokenizer, name="queries", cache=self.cache)
        documents = tokenise(self.collection.documents, tokenizer, name="documents", cache=self.cache)
        template = PairTemplate.of(tokenizer)
        longest = int(queries.lengths().max())
        template.room(min(longest, self.query_length or longest), self.max_length)
        assembler = PairAssembler(
            queries,
            documents,
            template,
            tokenizer.pad_token_id,
            self.max_length,
            self.query_length,
            self.document_length,
        )
        self.dataset = PairDataset(assembler)
        log.info("max_length=%d cuts %.1f %% of the documents", self.max_length, 100 * self.cut_share())

    def cut_share(self) -> float:
        """Share of the first epoch's training pairs and of the candidates that lose tokens to `max_length`."""
        dataset = self._dataset()
        pairs = [dataset.rows(self._draw(0))]
        for run in self.candidates.values():
            sizes = [len(run[query]) for query in run]
            queries = as_rows(dataset.assembler.queries.index, list(run))
            documents = list(chain.from_iterable(run.values()))
            pairs.append((np.repeat(queries, sizes), as_rows(dataset.assembler.documents.index, documents)))
        return float(np.concatenate([dataset.assembler.is_cut(*rows) for rows in pairs]).mean())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of one epoch of training samples."""
        batches = TrainingBatches(
            self._draw,
            size=self.batch_size,
            tokens=self.batch_tokens,
            lengths=self._dataset().lengths,
            seed=self.seed,
            **self._place(),
        )
        return self._training(self._dataset(), batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        """The dev split's candidates."""
        return self._scoring("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """The test split's candidates."""
        return self._scoring("test")

    def _queries(self, stage: str) -> list[tuple[str, Any]]:
        queries = self.collection.split(self.splits[stage]).queries
        return [(query, queries[query]) for query in self.candidates.get(stage, queries)]

    def _draw(self, epoch: int) -> list[Sample]:
        """The samples of an epoch; the last one drawn is kept, since lengths, shares and batches all ask for it."""
        if self._drawn is None or self._drawn[0] != epoch:
            split = self.collection.split(self.splits["train"])
            self._drawn = epoch, self.sampling(split, seed=self.seed, epoch=epoch)
        return self._drawn[1]

    def _place(self) -> dict[str, int]:
        trainer = self.trainer
        return {"rank": trainer.global_rank, "world_size": trainer.world_size} if trainer else {}

    def _scoring(self, stage: str) -> DataLoader[Batch]:
        assembler = self._dataset().assembler

        def lengths(query: str, documents: Sequence[str]) -> NDArray[np.int64]:
            rows = as_rows(assembler.queries.index, [query])
            return assembler.lengths(np.repeat(rows, len(documents)), as_rows(assembler.documents.index, documents))

        batches = ScoringBatches(
            self.candidates[stage],
            lengths=lengths,
            size=self.score_batch_size,
            tokens=self.score_batch_tokens,
            **self._place(),
        )
        return self._loader(self._dataset(), batches)

    def _dataset(self) -> PairDataset:
        if self.dataset is None:
            raise RuntimeError("call tokenise(tokenizer) before asking for batches")
        return self.dataset

    def _training(self, dataset: Dataset[Any], batches: TrainingBatches) -> DataLoader[Any]:
        loader = self._loader(dataset, batches)
        if self.trainer is not None:  # workers start fetching before Lightning tells the sampler its epoch
            loader.trainer = self.trainer
            batches.set_epoch(self.trainer.current_epoch)
        return loader

    def _loader(self, dataset: Dataset[Any], batches: Sampler[Any]) -> StepLoader:
        # The sampler yields whole steps and the dataset makes a batch of each: no collation is left to do. The loader's
        # own generator leaves the global one, and with it dropout, to training alone.
        return StepLoader(
            dataset,
            sampler=batches,
            batch_size=None,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            generator=torch.Generator().manual_seed(self.seed),
        )
