"""`RankingDataModule`: training pairs and candidate lists, as batches of token ids."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.batches.pairs import Batch, PairDataset
from clir_lightning.data.batches.samplers import ScoringBatches, TrainingBatches
from clir_lightning.data.candidates import candidates, candidates_from
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import read_run
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sampling.usage import Usage
from clir_lightning.data.tokens.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens.table import tokenise
from clir_lightning.errors import ConfigError, at_least
from clir_lightning.types import Query, Run, Sample

log = logging.getLogger(__name__)

STAGES = ("train", "val", "test")


def _candidates(path: str | None, collection: Collection, split: str, depth: int, seed: int, limit: int | None) -> Run:
    """The lists of a run file, or without one the judged documents."""
    if path is None:
        return candidates(collection, split, depth=depth, seed=seed, limit=limit)
    return candidates_from(read_run(path), collection, split, depth=depth, seed=seed, limit=limit)


class RankingDataModule(pl.LightningDataModule):
    """Training batches from `train`, candidate lists of `dev` and `test`.

    Args:
        collection: documents, queries and judgements.
        sampling: draws the training samples of an epoch; `None` where `stages` lack `train`.
        stages: those that batches will be asked of, some of `train`, `val` and `test`; what the others need is not
            read.
        train, dev, test: the splits' names.
        candidates: TREC run files whose lists are scored, by stage (`val`, `test`); without one, the judged documents.
        depth: candidates a query in dev and test.
        dev_queries, test_queries: score only the first so many queries of a seeded order; `None` for all.
        batch_size: queries in a training batch, over all processes; `None` for no such limit.
        batch_tokens: tokens in a training batch, padding included, over all processes; such batches are sorted by
            length within shuffled mega-batches, and the samples of all epochs drawn beforehand to count their steps.
            `None` for batches of `batch_size` in the order drawn.
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
        sampling: Sampling | None,
        *,
        stages: Sequence[str] = STAGES,
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
        if (sampling is None) == ("train" in stages):
            raise ConfigError("datamodule.sampling must be set for training, sampling=original say, and for it alone")
        self.collection, self.sampling, self.seed = collection, sampling, seed
        self.stages = tuple(stages)
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
        for name, least in {"depth": depth, "query_length": query_length, "document_length": document_length}.items():
            if least is not None:
                at_least(least, 1, f"datamodule.{name}")
        shown = {"val": dev_queries, "test": test_queries}
        self.candidates: dict[str, Run] = {
            stage: _candidates(
                (candidates or {}).get(stage), collection, self.splits[stage], depth, candidate_seed, shown[stage]
            )
            for stage in self.stages
            if stage != "train"
        }
        self.datasets: dict[str, Any] = {}  # by stage, once there are tokens
        self._drawn: tuple[int, list[Sample]] | None = None
        self.usage = Usage(0, {})  # of the training queries
        if sampling is not None:
            self.usage = Usage.of(sampling, collection.split(train), self.samples(0)).checked(train)

    def qrels(self, stage: str) -> dict[str, dict[str, int]]:
        """The full judgements of the queries that the stage (`val`, `test`) scores."""
        qrels = self.collection.split(self.splits[stage]).qrels
        return {query: dict(qrels[query]) for query in self.candidates[stage]}

    def samples(self, epoch: int) -> list[Sample]:
        """The training samples of an epoch; the last ones drawn are kept: lengths, shares and batches ask for them."""
        if self._drawn is None or self._drawn[0] != epoch:
            assert self.sampling is not None
            split = self.collection.split(self.splits["train"])
            self._drawn = epoch, self.sampling(split, seed=self.seed, epoch=epoch)
        return self._drawn[1]

    def counts(self) -> str:
        """The number of queries of each split, for the log."""
        counts = {stage: str(len(self._queries(stage))) for stage in self.stages}
        if self.usage.left_out:
            counts["train"] = f"{self.usage.used} of {self.usage.queries}"
        return ", ".join(f"{self.splits[stage]} {count}" for stage, count in counts.items())

    def tokenise(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Tokenise every query and document once. Raises `ConfigError` for a query that leaves no room.

        Each stage has a table of queries of its own: two splits may use an id for different texts.
        """
        documents = tokenise(self.collection.documents, tokenizer, name="documents", cache=self.cache)
        template = PairTemplate.of(tokenizer)
        for stage in self.stages:
            queries = tokenise(self._queries(stage), tokenizer, name=f"{stage} queries", cache=self.cache)
            longest = int(queries.lengths().max(initial=0))
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
            self.datasets[stage] = PairDataset(assembler)
        log.info("max_length=%d cuts %.1f %% of the documents", self.max_length, 100 * self.cut_share())

    def dataset(self, stage: str) -> Any:
        """The dataset behind a stage's batches: a `PairDataset`."""
        if stage not in self.datasets:
            raise RuntimeError(f"call tokenise(tokenizer) before asking for batches; stages: {', '.join(self.stages)}")
        return self.datasets[stage]

    def cut_share(self) -> float:
        """Share of the first epoch's training pairs and of the candidates that lose tokens to `max_length`."""
        rows = [(stage, self.dataset(stage).rows_of(run)) for stage, run in self.candidates.items()]
        if "train" in self.stages:
            rows.append(("train", self.dataset("train").rows(self.samples(0))))
        return float(np.concatenate([self.dataset(stage).assembler.is_cut(*pairs) for stage, pairs in rows]).mean())

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of one epoch of training samples."""
        dataset = self.dataset("train")
        batches = TrainingBatches(
            self.samples,
            size=self.batch_size,
            tokens=self.batch_tokens,
            cells=dataset.cells,
            epochs=self._epochs(),
            seed=self.seed,
            **self._place(),
        )
        loader = self._loader(dataset, batches)
        if self.trainer is not None:  # workers start fetching before Lightning tells the sampler its epoch
            loader.trainer = self.trainer
            batches.set_epoch(self.trainer.current_epoch)
        return loader

    def val_dataloader(self) -> DataLoader[Batch]:
        """The dev split's candidates."""
        return self._scoring("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """The test split's candidates."""
        return self._scoring("test")

    def _queries(self, stage: str) -> Mapping[str, Query]:
        """The queries that a stage's batches hold."""
        queries = self.collection.split(self.splits[stage]).queries
        shown = self.candidates.get(stage, queries)
        return queries if len(shown) == len(queries) else {query: queries[query] for query in shown}

    def _epochs(self) -> int:
        """The epochs that there will be, which steps are counted of."""
        if self.trainer is None or self.batch_tokens is None:
            return 1
        if not self.trainer.max_epochs or self.trainer.max_epochs < 1:
            raise ConfigError("datamodule.batch_tokens counts the steps of all epochs first: set trainer.max_epochs")
        return self.trainer.max_epochs

    def _place(self) -> dict[str, int]:
        trainer = self.trainer
        return {"rank": trainer.global_rank, "world_size": trainer.world_size} if trainer else {}

    def _scoring(self, stage: str) -> DataLoader[Any]:
        dataset = self.dataset(stage)
        batches = ScoringBatches(
            self.candidates[stage],
            lengths=dataset.pair_lengths,
            size=self.score_batch_size,
            tokens=self.score_batch_tokens,
            **self._place(),
        )
        return self._loader(dataset, batches)

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
