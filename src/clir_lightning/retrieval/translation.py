"""Bringing queries and documents into one language: not at all, by a lexicon, or from a file of translations."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from clir_lightning.data.collection import Collection
from clir_lightning.data.files.lines import tab_texts
from clir_lightning.data.sources.term_tables import Entry, read_entries
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.retrieval.lexicon import Lexicon, names_entries, translated
from clir_lightning.retrieval.retriever import DocumentRows
from clir_lightning.settings.markers import Count, OneOf
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Document, Query

log = logging.getLogger(__name__)

SIDES = ("queries", "documents")
NAMES = ("train", "own")


class Translation(Protocol):
    """Turns a collection's queries into its documents' language, or the documents into the queries'."""

    def queries(self, collection: Collection, split: str) -> Mapping[str, Query]:
        """The split's queries as the retriever gets them."""
        ...

    def documents(self, collection: Collection, split: str) -> Mapping[str, Document]:
        """The documents as the retriever gets them for that split."""
        ...


def languages(collection: Collection) -> tuple[str, str]:
    """Language of the queries and of the documents."""
    query = next(query for split in collection.splits.values() for query in split.queries.values())
    return query.language, DocumentRows(collection.documents, ()).language()


@dataclass(frozen=True)
class NoTranslation:
    """Queries and documents as they are."""

    def queries(self, collection: Collection, split: str) -> Mapping[str, Query]:
        """The queries."""
        return collection.split(split).queries

    def documents(self, collection: Collection, split: str) -> Mapping[str, Document]:
        """The documents."""
        return collection.documents


@dataclass(frozen=True)
class LexiconTranslation:
    """Translation by a lexicon: longest match, several translations of a term weighted.

    A query's term weights are those of its translations, and scores add up over terms: the weighting of probabilistic
    structured queries (Darwish and Oard, 2003) applied to scores instead of to counts.

    Args:
        paths: tables of terms or files of entity labels (`read_entries`); as many as wanted.
        names: adds the names of queries, each the title of its best document: of the `train` split, whose own queries
            are translated without the names of their own text; or with `own` of the split itself as well, so that each
            query is translated by the title of the document it looks for, an upper bound.
        alternatives: translations of a term, the heaviest first; `None` for all.
        side: `queries`, or `documents`: the documents are translated to the queries' language.
    """

    paths: Sequence[str] = ()
    names: Annotated[str, OneOf(NAMES)] | None = None
    alternatives: Count | None = None
    side: Annotated[str, OneOf(SIDES)] = "queries"

    def __post_init__(self) -> None:
        check_fields(self, "translation")
        if not self.paths and self.names is None:
            raise ConfigError("translation=lexicon has no words: give translation.paths or translation.names=train")

    def tables(self, collection: Collection) -> list[Entry]:
        """The entries of all files."""
        source, target = languages(collection)
        return [entry for path in self.paths for entry in read_entries(path, source, target)]

    def lexicon(self, collection: Collection, split: str) -> Lexicon:
        """The lexicon for a split."""
        entries = self.tables(collection)
        for part in {"train": ["train"], "own": ["train", split]}.get(self.names or "", []):
            entries += names_entries(collection.split(part), collection.documents)
        if self.side == "documents":
            entries = [(translation, term, weight) for term, translation, weight in entries]
        return Lexicon.of(entries, self.alternatives)

    def _names_are_of(self, collection: Collection, split: str) -> bool:
        """Whether the split's queries are those that the names come from, under whatever name of a split."""
        if self.names != "train":
            return False
        return split == "train" or collection.split(split).queries is collection.split("train").queries

    def _check(self, collection: Collection, split: str) -> None:
        """`ConfigError` where a query's own entry cannot be left out."""
        if self.side == "documents" and self._names_are_of(collection, split):
            raise ConfigError(
                "translation.side=documents with translation.names=train would translate the documents into the "
                "training queries themselves; set translation.names=null, leave train out of splits, or take "
                "translation.names=own, an upper bound"
            )

    def queries(self, collection: Collection, split: str) -> Mapping[str, Query]:
        """The queries, translated if that is the side; those without a translation are counted in the log."""
        self._check(collection, split)
        asked = collection.split(split).queries
        if self.side == "documents":
            return asked
        lexicon = self.lexicon(collection, split)
        own = None
        if self._names_are_of(collection, split):
            own = Lexicon.of(self.tables(collection), self.alternatives)
        queries = translated(lexicon, asked, languages(collection)[1], own=own)
        empty = sum(not query.text for query in queries.values())
        log.info("%s: %d terms, %d of %d queries without one", split, len(lexicon.entries), empty, len(queries))
        return queries

    def documents(self, collection: Collection, split: str) -> Mapping[str, Document]:
        """The documents, translated if that is the side, by the heaviest translation of each term."""
        self._check(collection, split)
        if self.side == "queries":
            return collection.documents
        lexicon = self.lexicon(collection, split)
        language = languages(collection)[0]
        first = Lexicon({term: ((table[0][0], 1.0),) for term, table in lexicon.entries.items()})
        return {
            i: Document(i, " ".join(text for text, _ in first.parts(document.text)), language)
            for i, document in collection.documents.items()
        }


@dataclass(frozen=True)
class GivenTranslation:
    """Translations from a file, one `id<TAB>text` per line, gzip or plain; each query (or document) must have one."""

    path: str
    side: Annotated[str, OneOf(SIDES)] = "queries"

    def __post_init__(self) -> None:
        check_fields(self, "translation")

    def _texts(self, wanted: Mapping[str, object]) -> dict[str, str]:
        texts = tab_texts(self.path)
        absent = [text_id for text_id in wanted if text_id not in texts]
        if absent:
            problem = f"{len(absent)} of {len(wanted)} {self.side} have no translation, the first is {absent[0]!r}"
            raise DataError(problem, path=self.path, cure="add their lines")
        return texts

    def queries(self, collection: Collection, split: str) -> Mapping[str, Query]:
        """The queries, with the file's texts if that is the side."""
        asked = collection.split(split).queries
        if self.side == "documents":
            return asked
        texts = self._texts(asked)
        language = languages(collection)[1]
        return {i: Query(i, texts[i], language) for i in asked}

    def documents(self, collection: Collection, split: str) -> Mapping[str, Document]:
        """The documents, with the file's texts if that is the side."""
        if self.side == "queries":
            return collection.documents
        texts = self._texts(collection.documents)
        language = languages(collection)[0]
        return {i: Document(i, texts[i], language) for i in collection.documents}
