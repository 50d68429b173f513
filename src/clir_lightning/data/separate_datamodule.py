"""`SeparateDataModule`: the collection for models that encode queries and documents apart."""

from __future__ import annotations

import logging
from itertools import islice
from typing import Any

import numpy as np
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.separate import SeparateDataset, SeparateScoring
from clir_lightning.data.steps import TrainingBatches
from clir_lightning.data.texts import TextAssembler, TextTemplate
from clir_lightning.data.tokens import tokenise

log = logging.getLogger(__name__)
PROBED = 256  # texts whose tokens behind a prefix are compared with the tokenizer's own


class SeparateDataModule(RankingDataModule):
    """Training batches and candidate lists as queries and documents apart.

    Args:
        settings: those of `RankingDataModule`; `max_length` is a document's, and both batch sizes of scoring count
            texts, not pairs.
        query_length: tokens of a query, special ones and prefix included; the rest is cut.
        query_prefix, document_prefix: put before each text, as E5 wants `query: ` and `passage: `.
    """

    def __init__(
        self, *settings: Any, query_length: int = 64, query_prefix: str = "", document_prefix: str = "", **named: Any
    ) -> None:
        super().__init__(*settings, **named)
        self.query_length, self.query_prefix, self.document_prefix = query_length, query_prefix, document_prefix
        self.texts: SeparateDataset | None = None

    def tokenise(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Tokenise every query and document once, without the prefixes, which the batches add."""
        wanted = {name: query for stage in self.splits for name, query in self._queries(stage)}
        assemblers = []
        for name, records, prefix, length in (
            ("queries", wanted, self.query_prefix, self.query_length or self.max_length),
            ("documents", self.collection.documents, self.document_prefix, self.max_length),
        ):
            template = TextTemplate.of(tokenizer, prefix)
            if prefix:
                probe = [records[i].text for i in islice(records, PROBED)]
                if wrong := template.differing(tokenizer, prefix, probe):
                    log.warning("%d of %d %s tokenise otherwise behind the prefix %r", wrong, len(probe), name, prefix)
            table = tokenise(records, tokenizer, name=name, cache=self.cache)
            assemblers.append(TextAssembler(table, template, length))
        self.texts = SeparateDataset(assemblers[0], assemblers[1], self.collection.split(self.splits["train"]))
        log.info("query_length=%d cuts %.1f %% of the queries", self.query_length, 100 * self._cut(assemblers[0]))
        log.info("max_length=%d cuts %.1f %% of the documents", self.max_length, 100 * self.cut_share())

    def cut_share(self) -> float:
        """Share of the collection's documents that lose tokens to `max_length`."""
        return self._cut(self.dataset_apart().documents)

    @staticmethod
    def _cut(assembler: TextAssembler) -> float:
        return float(assembler.is_cut(np.arange(len(assembler.table.offsets) - 1)).mean())

    def dataset_apart(self) -> SeparateDataset:
        """The dataset behind the batches."""
        if self.texts is None:
            raise RuntimeError("call tokenise(tokenizer) before asking for batches")
        return self.texts

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of one epoch of training samples."""
        dataset = self.dataset_apart()
        batches = TrainingBatches(
            self._draw,
            size=self.batch_size,
            tokens=self.batch_tokens,
            lengths=dataset.lengths,
            seed=self.seed,
            **self._place(),
        )
        return self._training(dataset, batches)

    def _scoring(self, stage: str) -> DataLoader[Any]:
        dataset = self.dataset_apart()
        batches = SeparateScoring(
            self.candidates[stage],
            queries=dataset.queries,
            documents=dataset.documents,
            size=self.score_batch_size,
            tokens=self.score_batch_tokens,
            **self._place(),
        )
        return self._loader(dataset, batches)
