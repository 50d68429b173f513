"""A collection: documents in one language, queries in another, split into train, dev and test, with judgements."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from clir_lightning.errors import DataError, one_of
from clir_lightning.types import Document, Grades, Qrels, Query, Run


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


@dataclass(frozen=True, slots=True)
class Collection:
    """Everything an experiment reads. `documents` maps id → `Document`; `splits` maps name → `Split`.

    `notes` tell what the reading left out, a line each. `key` stands for the content of one that is prepared on disk.
    """

    name: str
    documents: Mapping[str, Document]
    splits: Mapping[str, Split]
    notes: tuple[str, ...] = ()
    key: str = ""

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


def unjudged(ids: Sequence[str], judged: Grades, count: int, rng: random.Random) -> list[str]:
    """`count` different documents of `ids` that a query has no judgement of, or as many as there are.

    >>> sorted(unjudged(["a", "b", "c"], {"b": 1}, 5, random.Random(1)))
    ['a', 'c']
    """
    drawn = rng.sample(ids, min(len(ids), count + len(judged)))
    return [document for document in drawn if document not in judged][:count]


def candidates(collection: Collection, split: str, *, depth: int, seed: int, limit: int | None = None) -> Run:
    """Candidate lists of `depth` documents a query, in an order that only `seed` decides.

    Where the split brings a run along, its first `depth` documents are the candidates, however few. Otherwise they are
    the judged documents: lists that are short are filled up with random documents of the collection (grade 0 by
    definition, being unjudged); long ones lose their lowest grades, at random among equals, so that no relevant
    document is lost before the others. The scores are a random permutation: the run is the *random order* floor of its
    own candidates, and no file order, in which CLIRMatrix hides its labels, survives. `limit` keeps that many queries
    of a seeded order.
    """
    part = collection.split(split)
    fill = _Fill(collection)
    queries = sorted(part.queries)
    random.Random(f"{seed}/{split}").shuffle(queries)
    lists = {}
    for query_id in queries[:limit]:
        rng = random.Random(f"{seed}/{split}/{query_id}")
        if part.run is None:
            grades = part.qrels[query_id]
            chosen = sorted(grades)
            rng.shuffle(chosen)  # a cut in the order of ids would tell kinds of documents, and so relevance, apart
            chosen = sorted(chosen, key=lambda document: -grades[document])[:depth]
            chosen += fill(depth - len(chosen), grades, rng)
        else:
            chosen = part.run.ranking(query_id)[:depth] if query_id in part.run else []
        rng.shuffle(chosen)
        lists[query_id] = {document: float(len(chosen) - rank) for rank, document in enumerate(chosen)}
    return Run(lists, name="random order")


@dataclass(frozen=True)
class _Fill:
    """Draws documents that a query does not judge; ids are listed when the first are wanted."""

    collection: Collection

    @cached_property
    def everything(self) -> list[str]:
        return sorted(self.collection.documents)

    def __call__(self, count: int, taken: Grades, rng: random.Random) -> list[str]:
        return unjudged(self.everything, taken, count, rng) if count > 0 else []


def candidates_from(
    run: Run, collection: Collection, split: str, *, depth: int, seed: int, limit: int | None = None
) -> Run:
    """Candidate lists taken from a run: the first `depth` documents of each query, in the run's order.

    A query that the run lacks has an empty list and counts 0 in every measure. `limit` keeps the same queries as
    `candidates` does. Raises `DataError` for a document that the collection lacks.
    """
    lists: dict[str, dict[str, float]] = {}
    for query in candidates(collection, split, depth=1, seed=seed, limit=limit):
        ranking = run.ranking(query)[:depth] if query in run else []
        lists[query] = {document: run[query][document] for document in ranking}
        unknown = next((document for document in ranking if document not in collection.documents), None)
        if unknown is not None:
            cure = "run file and collection must belong together"
            raise DataError(f"run {run.name!r} has document {unknown!r}, the collection has not", cure=cure)
    if not any(lists.values()):
        raise DataError(f"run {run.name!r} has no query of split {split!r}", cure="give the split's own run file")
    return Run(lists, name=run.name)
