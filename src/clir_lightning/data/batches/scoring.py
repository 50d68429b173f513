"""Which pairs a scoring step scores: the same steps for any number of processes, which take turns at them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from clir_lightning.data.batches.pairs import Step
from clir_lightning.data.batches.samplers import Lengths, cut_by_budget
from clir_lightning.data.batches.texts import NOTHING, Encode, Rank
from clir_lightning.data.store.packed import packed
from clir_lightning.data.tokens.table import as_rows
from clir_lightning.data.tokens.texts import TextAssembler
from clir_lightning.types import Run, Sample

Ints = NDArray[np.int64]
SHARED_QUERIES = 8  # a step ranks so many times fewer queries than texts fit in one, for several processes to share


class ScoringSteps(Sampler[Any]):
    """The steps that score a run's candidates, numbered alike in all processes: the base of the two kinds.

    A pair is scored in one step, together with the same others whatever the number of processes and wherever a pass
    that was cut short goes on: its score is the same number, to the last bit, on a machine that computes repeatably.

    Args:
        candidates: the pairs.
        rank, world_size: this process and the number of processes.

    Attributes:
        lists: the candidates, whose pairs are numbered.
        done: numbers of the steps that `__iter__` leaves out, being done already.
    """

    def __init__(self, candidates: Run, rank: int, world_size: int) -> None:
        self.lists = packed(candidates.by_query)
        self.queries = [query for query, size in zip(self.lists, self.lists.sizes, strict=True) if size]
        self.rank = rank
        self.world_size = world_size
        self.done: Collection[int] = ()

    @property
    def count(self) -> int:
        """Steps that score, of all processes."""
        raise NotImplementedError

    def pairs(self, number: int) -> Ints:
        """The pairs `[n]` that a step scores, in the order of its scores."""
        raise NotImplementedError

    @property
    def alone(self) -> int:
        """Documents that are encoded by themselves, of all processes."""
        return 0

    def step(self, number: int) -> Any:
        """What the dataset makes a step's batch of."""
        raise NotImplementedError

    def turns(self) -> list[int]:
        """The numbers of this process's steps that score, in their order.

        A process that has none left for it makes the first once more, since Lightning leaves a pass without batches
        out, in that process alone.
        """
        left = [number for number in range(self.count) if number not in self.done]
        return left[self.rank :: self.world_size] or left[:1]

    def before(self) -> Iterator[Any]:
        """Steps that score nothing and come first."""
        return iter(())

    def parts(self) -> Iterator[bytes | str]:
        """All that says which pairs are scored, and which of them together, for a fingerprint."""
        yield from self.lists
        yield from self.lists.arrays()
        yield from (self.pairs(number).tobytes() for number in range(self.count))

    def __len__(self) -> int:
        return len(self.turns())

    def __iter__(self) -> Iterator[Any]:
        yield from self.before()
        for number in self.turns():
            yield self.step(number)


class ScoringBatches(ScoringSteps):
    """Every (query, document) pair of a run once, as samples of one document, in batches of similar length.

    Longest first: the first batch shows whether memory suffices, and little is padded.

    Args:
        candidates, rank, world_size: as in `ScoringSteps`.
        lengths: tokens of each pair of a query with documents.
        size: pairs in a batch; `None` for no such limit.
        tokens: tokens in a batch, padding included; `None` for no such limit.
    """

    def __init__(
        self,
        candidates: Run,
        *,
        lengths: Callable[[str, Sequence[str]], Lengths],
        size: int | None = 128,
        tokens: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(candidates, rank, world_size)
        self._names = list(self.lists)

        # Each pair's tokens, then the pairs with the longest first.
        parts = (np.asarray(lengths(query, self.lists.documents(query)), np.int32) for query in self.queries)
        flat = np.concatenate([np.zeros(0, np.int32), *parts])
        self.order = np.argsort(-flat, kind="stable")
        self.cuts = cut_by_budget(flat[self.order], width=1, tokens=tokens, size=size)

    @property
    def count(self) -> int:
        """Batches of all processes."""
        return len(self.cuts)

    def pairs(self, number: int) -> Ints:
        """The pairs `[n]` of a batch."""
        return self.order[self.cuts[number]]

    def step(self, number: int) -> Step:
        """A batch's samples, made when it is its turn."""
        pairs = self.pairs(number)
        queries = np.searchsorted(self.lists.bounds, pairs, side="right") - 1
        found = zip(queries.tolist(), pairs.tolist(), strict=True)
        return Step([Sample(self._names[query], (self.lists.document(pair),), (0,)) for query, pair in found])


class TextScoring(ScoringSteps):
    """Scores a run's candidates: each distinct document encoded once, the longest first, then each query once.

    Queries with equally many candidates share a batch. Processes take turns at the batches of documents and of queries;
    the vectors are to be put together between the two (`scoring.scorers.TextScorer`). For that each process has equally
    many steps of documents, some of them empty perhaps, and a query.

    Args:
        candidates, rank, world_size: as in `ScoringSteps`.
        queries, documents: give rows and lengths.
        size: texts in a batch; `None` for no such limit.
        tokens: tokens in a batch, padding included; `None` for no such limit.
    """

    def __init__(
        self,
        candidates: Run,
        *,
        queries: TextAssembler,
        documents: TextAssembler,
        size: int | None = 128,
        tokens: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(candidates, rank, world_size)
        index = documents.table.index
        rows = [as_rows(index, self.lists.documents(query)) for query in self.queries]
        self.encoded = _longest_first(documents, np.unique(np.concatenate([NOTHING, *rows])), tokens, size)
        few = None if size is None else max(1, size // SHARED_QUERIES)
        self.ranked = list(self._of_queries(queries, tokens, few))

    def _of_queries(self, texts: TextAssembler, tokens: int | None, size: int | None) -> Iterator[list[str]]:
        """Batches of queries, those with equally many candidates together, the longest of them first."""
        by_count: dict[int, list[str]] = {}
        for query in self.queries:
            by_count.setdefault(len(self.lists.numbers(query)), []).append(query)
        for names in by_count.values():
            rows = as_rows(texts.table.index, names)
            order = np.argsort(-texts.lengths(rows), kind="stable")
            for cut in cut_by_budget(texts.lengths(rows[order]), width=1, tokens=tokens, size=size):
                yield [names[place] for place in order[cut]]

    @property
    def count(self) -> int:
        """Batches of queries, of all processes."""
        return len(self.ranked)

    @property
    def alone(self) -> int:
        """Distinct documents."""
        return sum(map(len, self.encoded))

    def pairs(self, number: int) -> Ints:
        """The pairs `[B·D]` of a batch of queries."""
        return np.concatenate([self.lists.numbers(query) for query in self.ranked[number]])

    def step(self, number: int) -> Rank:
        """A batch of queries with their candidates."""
        lists = ((query, tuple(self.lists.documents(query))) for query in self.ranked[number])
        return Rank([Sample(query, documents, (0,) * len(documents)) for query, documents in lists])

    def before(self) -> Iterator[Encode]:
        """This process's documents, and steps of nothing where another has more; none where no query is left."""
        if self.turns():
            for start in range(0, len(self.encoded), self.world_size):
                own = self.encoded[start + self.rank : start + self.rank + 1]
                yield Encode(own[0] if own else NOTHING)

    def parts(self) -> Iterator[bytes | str]:
        """The pairs, and the documents that are encoded together."""
        yield from super().parts()
        yield from (rows.tobytes() for rows in self.encoded)

    def __len__(self) -> int:
        turns = len(self.turns())
        return turns + (-(-len(self.encoded) // self.world_size) if turns else 0)


def _longest_first(texts: TextAssembler, rows: Ints, tokens: int | None, size: int | None) -> list[Ints]:
    """The rows `[N]` in batches of similar length."""
    lengths = texts.lengths(rows)
    order = np.argsort(-lengths, kind="stable")
    return [rows[order[cut]] for cut in cut_by_budget(lengths[order], width=1, tokens=tokens, size=size)]
