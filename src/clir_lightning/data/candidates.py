"""Candidate lists: the judged documents or a run's, filled up at random; the answers put in, for training alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clir_lightning.data.collection import Collection
from clir_lightning.data.store.packed import PackedLists
from clir_lightning.errors import DataError
from clir_lightning.types import Grades, Run


def unjudged(ids: Sequence[str], judged: Grades, count: int, rng: random.Random) -> list[str]:
    """`count` different documents of `ids` that a query has no judgement of, or as many as there are.

    >>> sorted(unjudged(["a", "b", "c"], {"b": 1}, 5, random.Random(1)))
    ['a', 'c']
    """
    drawn = rng.sample(ids, min(len(ids), count + len(judged)))
    return [document for document in drawn if document not in judged][:count]


def candidates(collection: Collection, split: str, *, depth: int, seed: int, limit: int | None = None) -> Run:
    """Candidate lists of `depth` documents per query, in an order that only `seed` decides.

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

    def drawn(query_id: str) -> dict[str, float]:
        # A query draws from a generator of its own: its list does not depend on which others are asked for.
        rng = random.Random(f"{seed}/{split}/{query_id}")
        if part.run is None:
            grades = part.qrels[query_id]
            chosen = sorted(grades)
            rng.shuffle(chosen)  # a cut in the order of ids would tell kinds of documents, and so relevance, apart
            chosen = sorted(chosen, key=lambda document: -grades[document])[:depth]
            chosen += fill(depth - len(chosen), grades, rng)
        else:
            chosen = part.run.ranking(query_id)[:depth] if query_id in part.run else []

        # Scores fall by 1 along the shuffled list.
        rng.shuffle(chosen)
        return {document: float(len(chosen) - rank) for rank, document in enumerate(chosen)}

    return Run(PackedLists.of((query_id, drawn(query_id)) for query_id in queries[:limit]), name="random order")


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

    # The first documents of each query, by the run's own scores.
    def found() -> Iterator[tuple[str, dict[str, float]]]:
        for query in candidates(collection, split, depth=1, seed=seed, limit=limit):
            ranking = run.ranking(query)[:depth] if query in run else []
            unknown = next((document for document in ranking if document not in collection.documents), None)
            if unknown is not None:
                cure = "run file and collection must belong together"
                raise DataError(f"run {run.name!r} has document {unknown!r}, the collection has not", cure=cure)
            scores = run[query] if ranking else {}
            yield query, {document: scores[document] for document in ranking}

    lists = PackedLists.of(found())
    if not lists.pairs:
        raise DataError(f"run {run.name!r} has no query of split {split!r}", cure="give the split's own run file")
    return Run(lists, name=run.name)


def fill_random(run: Run, documents: Iterable[str], qrels: Mapping[str, Grades], *, depth: int, seed: int) -> Run:
    """Lists of exactly `depth` (or of all documents there are): short ones get random ones not judged relevant.

    They stand behind the documents found, in an order that only `seed` and the query decide.

    >>> run = fill_random(Run({"q": {"a": 5.0}}), ["a", "b", "c"], {"q": {"b": 1}}, depth=2, seed=1)
    >>> run["q"]
    {'a': 5.0, 'c': 4.0}
    """
    everything = sorted(documents)
    lists: dict[str, dict[str, float]] = {}
    for query, scores in run.items():
        taken = set(scores) | {document for document, grade in qrels.get(query, {}).items() if grade > 0}
        missing = depth - len(scores)
        if missing > 0:
            rng = random.Random(f"{seed}/{query}")
            drawn = rng.sample(everything, min(len(everything), missing + len(taken)))
            new = [document for document in drawn if document not in taken][:missing]
            last = min(scores.values(), default=0.0)
            scores = {**scores, **{document: last - place for place, document in enumerate(new, start=1)}}
        lists[query] = dict(scores)
    return Run(lists, name=run.name)


def add_missing_relevant(run: Run, qrels: Mapping[str, Grades], *, depth: int) -> Run:
    """The run with every relevant document in it, up to `depth`: for training only, since it holds the answers.

    Added documents take the last places, the best grades first; documents that are not relevant make room for them.

    >>> run = add_missing_relevant(Run({"q": {"a": 3.0, "b": 2.0}}), {"q": {"a": 1, "z": 6}}, depth=2)
    >>> run.name, run["q"]
    ('run, relevant documents added', {'a': 3.0, 'z': 2.0})
    """
    lists: dict[str, dict[str, float]] = {}
    for query, scores in run.items():
        relevant = {document: grade for document, grade in qrels.get(query, {}).items() if grade > 0}
        new = sorted((d for d in relevant if d not in scores), key=lambda d: (-relevant[d], d))
        keep = run.ranking(query)
        while keep and len(keep) + len(new) > depth:
            loser = next((d for d in reversed(keep) if d not in relevant), None)
            if loser is None:
                break
            keep.remove(loser)
        new = new[: max(0, depth - len(keep))]
        last = min((scores[document] for document in keep), default=0.0)
        added = {document: last - place for place, document in enumerate(new, start=1)}
        lists[query] = {document: scores[document] for document in keep} | added
    return Run(lists, name=f"{run.name}, relevant documents added")
