"""A collection: documents in one language, queries in another, split into train, dev and test, with judgements."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from clir_lightning.errors import DataError, one_of
from clir_lightning.types import Document, Qrels, Query, Run


@dataclass(frozen=True, slots=True)
class Split:
    """The queries of one split with their judgements; every query has a row in `qrels`."""

    queries: Mapping[str, Query]
    qrels: Qrels


@dataclass(frozen=True, slots=True)
class Collection:
    """Everything an experiment reads. `documents` maps id → `Document`; `splits` maps name → `Split`."""

    name: str
    documents: Mapping[str, Document]
    splits: Mapping[str, Split]

    def split(self, name: str) -> Split:
        """The split of that name; `ConfigError` names those there are."""
        return self.splits[one_of(name, self.splits, "split")]


def candidates(collection: Collection, split: str, *, depth: int, seed: int, limit: int | None = None) -> Run:
    """Candidate lists of exactly `depth` judged documents a query, in an order that only `seed` decides.

    Lists that are short are filled up with random documents of the collection (grade 0 by definition, being unjudged);
    long ones lose their lowest grades, so that no relevant document is lost before the others. The
    scores are a random permutation: the run is the *random order* floor of its own candidates, and no file order, in
    which CLIRMatrix hides its labels, survives. `limit` keeps that many queries of a seeded order.
    """
    part = collection.split(split)
    everything = sorted(collection.documents)
    queries = sorted(part.queries)
    random.Random(f"{seed}/{split}").shuffle(queries)
    lists = {}
    for query_id in queries[:limit]:
        rng = random.Random(f"{seed}/{split}/{query_id}")
        grades = part.qrels[query_id]
        chosen = sorted(grades, key=lambda document: (-grades[document], document))[:depth]
        missing = min(depth, len(everything)) - len(chosen)
        if missing > 0:
            drawn = rng.sample(everything, min(len(everything), missing + len(chosen)))
            chosen += [document for document in drawn if document not in grades][:missing]
        rng.shuffle(chosen)
        lists[query_id] = {document: float(len(chosen) - rank) for rank, document in enumerate(chosen)}
    return Run(lists, name="random order")


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
