"""`PairBatches` and `TextBatches`: queries together with documents for cross-encoders, or apart for dual ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.features import Feature, prepare
from clir_lightning.data.batches.knowledge import Knowledge, Neighbourhoods
from clir_lightning.data.batches.pairs import Lists, PairDataset
from clir_lightning.data.batches.scoring import ScoringBatches, TextScoring
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.batches.texts import TextDataset
from clir_lightning.data.collection import Split
from clir_lightning.data.tokens.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens.table import TokenTable, tokenise
from clir_lightning.data.tokens.texts import Side, TextAssembler, TextTemplate, side_lengths
from clir_lightning.settings.markers import Count
from clir_lightning.types import Document, Run

log = logging.getLogger(__name__)
PROBED = 256  # texts whose tokens behind a prefix are compared with the tokenizer's own


@dataclass(frozen=True, kw_only=True)
class PairBatches(Batches):
    """Each query together with its documents, as `PairBatch`.

    Args:
        max_length: tokens of a pair, special ones included; only the document is cut.
        query_length, document_length: tokens that queries and documents are cut to before that; `None` cuts neither.
        score_size: pairs.
        features: what an architecture reads of each pair beside the tokens, in `batch.extra` by these names.
        knowledge: what a graph knows of queries and documents, in `batch.knowledge`; `None` for nothing.
        knowledge_length: tokens of a text of it, special ones included.
    """

    features: Mapping[str, Feature] = field(default_factory=dict)
    knowledge: Knowledge | None = None
    knowledge_length: Count = 32

    def documents(
        self, records: Mapping[str, Document], tokenizer: PreTrainedTokenizerBase, cache: str | None = None
    ) -> TokenTable:
        """Their tokens."""
        return tokenise(records, tokenizer, name="documents", cache=cache)

    def dataset(
        self,
        split: Split,
        documents: TokenTable,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        cache: str | None = None,
    ) -> PairDataset:
        """Raises `ConfigError` for a query that leaves no room for a document."""
        queries = tokenise(split.queries, tokenizer, name=f"{name} queries", cache=cache)

        # The longest query, as it is cut, must leave a token of the document.
        template = PairTemplate.of(tokenizer)
        longest = int(queries.lengths().max(initial=0))
        template.room(min(longest, self.query_length or longest), self.max_length)

        lengths = (self.max_length, self.query_length, self.document_length)
        assembler = PairAssembler(queries, documents, template, tokenizer.pad_token_id, *lengths)
        prepare(self.features, split, cache)
        return PairDataset(assembler, self.features, split, self._known(split, tokenizer, name, cache))

    def _known(
        self, split: Split, tokenizer: PreTrainedTokenizerBase, name: str, cache: str | None
    ) -> Neighbourhoods | None:
        """What the graph knows of the split's queries and documents, and a line on how many it knows."""
        if self.knowledge is None:
            return None
        table = self.knowledge.table(split.queries, split.documents, cache=cache)
        log.info(
            "the graph knows %d of %d %s queries, %d of %d documents",
            *(len(table.queries), len(split.queries), name),
            *(len(table.documents), len(split.documents)),
        )
        return Neighbourhoods.of(table, tokenizer, length=self.knowledge_length, name=name, cache=cache)

    def scoring(self, run: Run, dataset: PairDataset, **place: int) -> ScoringBatches:
        """Each pair once, in batches of similar length."""
        return ScoringBatches(run, lengths=dataset.pair_lengths, size=self.score_size, tokens=self.most_tokens, **place)

    def cuts(self, dataset: PairDataset, lists: Lists, name: str) -> str:
        """Of the documents in these pairs."""
        share = 100 * dataset.cut_share(lists)
        return f"max_length={self.max_length} cuts {share:.1f} % of the documents beside {name} queries"


@dataclass(frozen=True, kw_only=True)
class TextBatches(Batches):
    """Queries and documents as rows of their own, as `TextBatch`.

    Args:
        max_length: tokens of a document, special ones and prefix included.
        query_length, document_length: tokens that queries and documents are cut to, special ones and prefix included;
            `None` for `max_length`, which no document exceeds.
        score_size: texts.
        query_prefix, document_prefix: put before each text, as E5 wants `query: ` and `passage: `.
    """

    query_length: Count | None = 64
    query_prefix: str = ""
    document_prefix: str = ""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Of queries and of documents."""
        return self.query_prefix, self.document_prefix

    def documents(
        self, records: Mapping[str, Document], tokenizer: PreTrainedTokenizerBase, cache: str | None = None
    ) -> TextAssembler:
        """Their tokens without the prefix, which the batches add."""
        documents = self._assembler("document", records, tokenizer, "documents", cache)
        log.info("%d tokens: %.1f %% of the documents are longer", documents.max_length, 100 * documents.cut_share())
        return documents

    def dataset(
        self,
        split: Split,
        documents: TextAssembler,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        cache: str | None = None,
    ) -> TextDataset:
        """The tokens of the queries without the prefix, which the batches add."""
        queries = self._assembler("query", split.queries, tokenizer, f"{name} queries", cache)
        return TextDataset(queries, documents, split.qrels)

    def _assembler(
        self,
        side: Side,
        records: Mapping[str, Any],
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        cache: str | None,
    ) -> TextAssembler:
        """The tokens of one side's texts; a warning where the prefix changes them."""
        prefix = {"query": self.query_prefix, "document": self.document_prefix}[side]
        template = TextTemplate.of(tokenizer, prefix)
        if prefix:
            probe = [record.text for record in islice(records.values(), PROBED)]
            if wrong := template.differing(tokenizer, prefix, probe):
                log.warning("%d of %d %s tokenise otherwise behind the prefix %r", wrong, len(probe), name, prefix)

        lengths = side_lengths(self.max_length, self.query_length, self.document_length)
        return TextAssembler(tokenise(records, tokenizer, name=name, cache=cache), template, lengths[side])

    def scoring(self, run: Run, dataset: TextDataset, **place: int) -> TextScoring:
        """Each document once, then each query once."""
        return TextScoring(
            run,
            queries=dataset.queries,
            documents=dataset.documents,
            size=self.score_size,
            tokens=self.most_tokens,
            **place,
        )

    def cuts(self, dataset: TextDataset, lists: Lists, name: str) -> str:
        """Of all queries of the dataset."""
        share = 100 * dataset.queries.cut_share()
        return f"query_length={dataset.queries.max_length} cuts {share:.1f} % of the {name} queries"
