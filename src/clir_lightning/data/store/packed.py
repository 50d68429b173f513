"""`PackedLists`: scored lists in a few arrays, for millions of pairs; read like dictionaries, one list at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.types import Scores

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PackedLists(Mapping[str, dict[str, float]]):
    """Query id → document id → score, without a Python object per pair: an id's bytes and 16 more for each.

    A list is made when it is asked for. Pairs are numbered through all lists, in their order.

    >>> lists = PackedLists.of({"q": {"a": 1.0, "b": 0.5}, "p": {}})
    >>> lists["q"], len(lists["p"]), lists.pairs, lists.document(1)
    ({'a': 1.0, 'b': 0.5}, 0, 2, 'b')
    """

    places: Mapping[str, int]  # of Q queries, in their order
    bounds: Ints  # [Q + 1], query i's pairs are those from bounds[i] to bounds[i + 1]
    ids: bytes  # of all pairs' documents, end to end
    ends: Ints  # [N + 1], pair i's document is the bytes from ends[i] to ends[i + 1]
    scores: NDArray[Any]  # [N]

    @classmethod
    def of(cls, lists: Mapping[str, Scores] | Iterable[tuple[str, Scores]]) -> PackedLists:
        """The same lists, packed; they may come one by one, each query once."""
        places: dict[str, int] = {}
        counts = [0]
        ids: list[bytes] = []
        sizes: list[Ints] = []
        values: list[NDArray[np.float64]] = []

        # A list's ids become one run of bytes at once, so that nothing is kept of each.
        for query, scores in lists.items() if isinstance(lists, Mapping) else lists:
            coded = [document.encode("utf-8", "surrogatepass") for document in scores]
            places[query] = len(places)
            counts.append(len(coded))
            ids.append(b"".join(coded))
            sizes.append(np.fromiter(map(len, coded), np.int64, len(coded)))
            values.append(np.fromiter(scores.values(), np.float64, len(coded)))

        # All of them end to end.
        return cls(
            places,
            np.cumsum(counts, dtype=np.int64),
            b"".join(ids),
            np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes])),
            np.concatenate([np.zeros(0), *values]),
        )

    @property
    def pairs(self) -> int:
        """How many there are."""
        return int(self.bounds[-1])

    @property
    def sizes(self) -> Ints:
        """Documents of each query, `[Q]`."""
        return np.diff(self.bounds)

    def with_scores(self, scores: NDArray[Any]) -> PackedLists:
        """The same pairs with other scores, `[N]`."""
        return replace(self, scores=scores)

    def numbers(self, query: str) -> Ints:
        """The numbers of a query's pairs."""
        place = self.places[query]
        return np.arange(self.bounds[place], self.bounds[place + 1])

    def documents(self, query: str) -> list[str]:
        """The ids of a query's documents."""
        place = self.places[query]
        start, stop = self.bounds[place : place + 2].tolist()
        return [self._id(a, b) for a, b in pairwise(self.ends[start : stop + 1].tolist())]

    def document(self, pair: int) -> str:
        """The id of a pair's document."""
        return self._id(int(self.ends[pair]), int(self.ends[pair + 1]))

    def arrays(self) -> tuple[bytes, ...]:
        """All documents of all lists, for a fingerprint."""
        return self.bounds.tobytes(), self.ends.tobytes(), self.ids

    def names(self, pair: int) -> tuple[str, str]:
        """The ids of a pair's query and document."""
        place = int(np.searchsorted(self.bounds, pair, side="right")) - 1
        return list(self.places)[place], self.document(pair)

    def _id(self, start: int, stop: int) -> str:
        return self.ids[start:stop].decode("utf-8", "surrogatepass")

    def __getitem__(self, query: str) -> dict[str, float]:
        place = self.places[query]
        values = self.scores[self.bounds[place] : self.bounds[place + 1]].tolist()
        return dict(zip(self.documents(query), values, strict=True))

    def __contains__(self, query: object) -> bool:
        return query in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def packed(lists: Mapping[str, Scores]) -> PackedLists:
    """The lists as they are, if they are packed already, or else packed."""
    return lists if isinstance(lists, PackedLists) else PackedLists.of(lists)
