"""Candidate lists from runs: exactly the depth, filled up at random; the answers put in, for training alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from clir_lightning.types import Grades, Run


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
