"""`CandidateSet`: candidate lists with their judgements, and the batches that score them; nothing of training."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transformers import PreTrainedTokenizerBase

from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.batches.settings import Batches
from clir_lightning.data.candidates import candidates, candidates_from
from clir_lightning.data.collection import Collection
from clir_lightning.data.files.trec import read_run
from clir_lightning.errors import one_of
from clir_lightning.settings.markers import Count, ExistingPath
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Grades, Run

log = logging.getLogger(__name__)

STAGES = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class CandidateLists:
    """Which documents are scored, for which queries.

    Args:
        depth: candidates per query.
        val, test: TREC run files whose lists are scored; `None` for the judged documents.
        val_queries, test_queries: score only this many queries, the first of a seeded order; `None` for all.
        seed: decides what fills short lists, the candidates' order and which queries a limit keeps. It is none of the
            training's, so that runs of several seeds are judged on the same lists.
    """

    depth: Count = 100
    val: ExistingPath | None = None
    test: ExistingPath | None = None
    val_queries: Count | None = None
    test_queries: Count | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        check_fields(self, "candidates")

    def run(self, collection: Collection, split: str, stage: str) -> Run:
        """The lists of a split that is scored as `stage`, `val` or `test`; no other stage's run file is read."""
        one_of(stage, STAGES, "stage")
        path: str | None = getattr(self, stage)
        limit: int | None = getattr(self, f"{stage}_queries")
        if path is None:
            return candidates(collection, split, depth=self.depth, seed=self.seed, limit=limit)
        return candidates_from(read_run(path), collection, split, depth=self.depth, seed=self.seed, limit=limit)


@dataclass(frozen=True, eq=False)
class Judgements(Mapping[str, Grades]):
    """Those of a run's queries, in the run's order, read when they are asked for."""

    qrels: Mapping[str, Grades]
    run: Run

    def __getitem__(self, query: str) -> Grades:
        if query not in self.run:
            raise KeyError(query)
        return self.qrels[query]

    def __iter__(self) -> Iterator[str]:
        return iter(self.run)

    def __len__(self) -> int:
        return len(self.run)


class CandidateSet:
    """Candidates of one split: `val` and `test` of a training, and all that scoring alone needs.

    Three lines build one without a data module:

        run = CandidateLists(depth=50).run(collection, "test1", "test")
        candidates = CandidateSet(collection, "test1", run, batches)
        candidates.tokenise(encoder.tokenizer, cache=cache)

    and `candidates.loader()` gives its batches.

    Args:
        collection: documents, queries and judgements.
        name: the split's.
        run: the candidates; queries that it lacks are not scored.
        batches: how they are made into batches.

    Attributes:
        run: the candidates.
        qrels: the full judgements of the run's queries.
        dataset: a step in, a batch out; there after `tokenise`.
    """

    def __init__(self, collection: Collection, name: str, run: Run, batches: Batches) -> None:
        split = collection.split(name)
        self.split = split
        if len(run) < len(split.queries):
            self.split = replace(split, queries={query: split.queries[query] for query in run})
        self.name = name
        self.run = run
        self.batches = batches
        self.qrels: Mapping[str, Grades] = Judgements(split.qrels, run)
        self.dataset: Any = None

    def tokenise(self, tokenizer: PreTrainedTokenizerBase, documents: Any = None, *, cache: str | None = None) -> None:
        """Tokenise every query once, and every document unless `documents` are what `batches.documents` gave.

        Each set has a table of queries of its own: two splits may use an id for different texts.
        """
        if documents is None:
            documents = self.batches.documents(self.split.documents, tokenizer, cache)
        self.dataset = self.batches.dataset(self.split, documents, tokenizer, name=self.name, cache=cache)
        log.info(self.batches.cuts(self.dataset, self.run.items(), self.name))

    def loader(self, **place: int) -> StepLoader:
        """The batches that score the candidates; `place`: `rank` and `world_size`, for one process's share."""
        if self.dataset is None:
            raise RuntimeError("call tokenise(tokenizer) before asking for batches")
        steps = self.batches.scoring(self.run, self.dataset, **place)
        return self.batches.loader(self.dataset, steps)
