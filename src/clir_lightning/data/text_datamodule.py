"""`SeparateDataModule`: the collection for models that encode queries and documents apart."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.texts import SeparateDataset, SeparateScoring
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.tokens.table import tokenise
from clir_lightning.data.tokens.texts import Side, TextAssembler, TextTemplate, side_lengths

log = logging.getLogger(__name__)
PROBED = 256  # texts whose tokens behind a prefix are compared with the tokenizer's own


class SeparateDataModule(RankingDataModule):
    """Training batches and candidate lists as queries and documents apart.

    Args:
        settings: those of `RankingDataModule`; both batch sizes of scoring count texts, not pairs.
        query_length, document_length: tokens that queries and documents are cut to, special ones and prefix included;
            `None` for `max_length`, which no document exceeds.
        query_prefix, document_prefix: put before each text, as E5 wants `query: ` and `passage: `.
    """

    def __init__(
        self,
        *settings: Any,
        query_length: int | None = 64,
        query_prefix: str = "",
        document_prefix: str = "",
        **named: Any,
    ) -> None:
        super().__init__(*settings, query_length=query_length, **named)
        self.prefixes: dict[Side, str] = {"query": query_prefix, "document": document_prefix}
        self.lengths = side_lengths(self.max_length, self.query_length, self.document_length)

    def tokenise(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Tokenise every query and document once, without the prefixes, which the batches add.

        Each stage has a table of queries of its own: two splits may use an id for different texts.
        """
        documents = self._assembler("document", self.collection.documents, "documents", tokenizer)
        for stage in self.stages:
            queries = self._assembler("query", self._queries(stage), f"{stage} queries", tokenizer)
            qrels = self.collection.split(self.splits[stage]).qrels
            self.datasets[stage] = SeparateDataset(queries, documents, qrels)
            cut = 100 * self._cut(queries)
            log.info("query_length=%d cuts %.1f %% of the %s queries", queries.max_length, cut, self.splits[stage])
        log.info("%d tokens: %.1f %% of the documents are longer", documents.max_length, 100 * self.cut_share())

    def _assembler(
        self,
        side: Side,
        records: Mapping[str, Any],
        name: str,
        tokenizer: PreTrainedTokenizerBase,
    ) -> TextAssembler:
        """The tokens of one side's texts; a warning where the prefix changes them."""
        prefix = self.prefixes[side]
        template = TextTemplate.of(tokenizer, prefix)
        if prefix:
            probe = [record.text for record in islice(records.values(), PROBED)]
            if wrong := template.differing(tokenizer, prefix, probe):
                log.warning("%d of %d %s tokenise otherwise behind the prefix %r", wrong, len(probe), name, prefix)
        table = tokenise(records, tokenizer, name=name, cache=self.cache)
        return TextAssembler(table, template, self.lengths[side])

    def cut_share(self) -> float:
        """Share of the collection's documents that lose tokens."""
        return self._cut(self.dataset(self.stages[0]).documents)

    @staticmethod
    def _cut(assembler: TextAssembler) -> float:
        return float(assembler.is_cut(np.arange(len(assembler.table.offsets) - 1)).mean())

    def dataset(self, stage: str) -> SeparateDataset:
        """The dataset behind a stage's batches."""
        dataset: SeparateDataset = super().dataset(stage)
        return dataset

    def _scoring(self, stage: str) -> DataLoader[Any]:
        dataset = self.dataset(stage)
        batches = SeparateScoring(
            self.candidates[stage],
            queries=dataset.queries,
            documents=dataset.documents,
            size=self.score_batch_size,
            tokens=self.score_batch_tokens,
            **self._place(),
        )
        return self._loader(dataset, batches)
