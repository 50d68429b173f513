"""A collection: documents in one language, queries in another, split into train, dev and test, with judgements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clir_lightning.errors import one_of
from clir_lightning.types import Document, Qrels, Query, Run


@dataclass(frozen=True, slots=True)
class Split:
    """The queries of one split with their judgements; every query has a row in `qrels`.

    `run` holds the candidate lists that the source brings along (a first stage's run file), if it does. `documents`
    are the collection's, which `Collection.split` puts in.
    """

    queries: Mapping[str, Query]
    qrels: Qrels
    run: Run | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)

    def __repr__(self) -> str:
        lists = "" if self.run is None else ", with candidate lists"
        return f"Split({len(self.queries):,} queries{lists})"


@dataclass(frozen=True, slots=True)
class Collection:
    """Everything an experiment reads. `documents` maps id → `Document`; `splits` maps name → `Split`.

    `notes` tell what the reading left out, one line each. `key` stands for the content of one that is prepared on disk.
    """

    name: str
    documents: Mapping[str, Document]
    splits: Mapping[str, Split]
    notes: tuple[str, ...] = ()
    key: str = ""

    def __repr__(self) -> str:
        """What it holds in one line: it may have millions of documents."""
        splits = ", ".join(f"{name} {len(split.queries):,}" for name, split in self.splits.items())
        return f"Collection({self.name!r}: {len(self.documents):,} documents; queries: {splits})"

    @property
    def document_language(self) -> str:
        """The language of the first document; a collection's documents share it."""
        return next(iter(self.documents.values())).language

    @property
    def query_language(self) -> str:
        """The language of the first query; a collection's queries share it."""
        return next(query.language for split in self.splits.values() for query in split.queries.values())

    def split(self, name: str) -> Split:
        """The split of that name, with the collection's documents; `ConfigError` names the splits there are."""
        return replace(self.splits[one_of(name, self.splits, "split")], documents=self.documents)
