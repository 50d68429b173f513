"""What a graph knows of a batch's queries and documents: their entities, neighbours and the texts of these.

`KnowledgeTable` holds it for all queries and documents of a split; `KnowledgeBatch` is a batch's part of it, which
`Neighbourhoods` makes by index arithmetic. An object that makes the table (`Knowledge`) is a setting of `PairBatches`,
so that training and every later scoring see the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.tokens.table import tokenise
from clir_lightning.data.tokens.texts import TextAssembler, Texts, TextTemplate
from clir_lightning.data.tokens.transfer import moved
from clir_lightning.types import Document, Query

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class KnowledgeTable:
    """The neighbourhoods of E linked entities: each entity itself first, then its neighbours, N members in all.

    A member has one text per language, its label and description, in the order of `languages`: those of queries first,
    then those of documents. -1 stands for what there is not: a text, a member, an entity.
    """

    languages: tuple[str, ...]  # L
    texts: Mapping[str, Document]  # by id, in the order of their rows; equal texts are one
    members: Ints  # [E, N, L] rows of `texts`
    entities: Ints  # [E, N] numbers that tell entities of the graph apart
    relations: Ints  # [E, N] numbers that tell relations and their direction apart, 0 for the entity itself
    queries: Mapping[str, int]  # rows of linked queries' entities, 0 to E - 1, by the queries' ids
    documents: Mapping[str, int]  # those of linked documents
    mass: sp.csr_matrix | None = None  # [E, E] of a row's entity, the share of a walk that ends at a column's
    fingerprint: str = ""  # of all of this


@dataclass(frozen=True)
class KnowledgeBatch:
    """M neighbourhoods of the entities in a batch of B·D pairs, and the K distinct texts in them.

    `query`, `document` and `mass` have a row per pair; everything else is shared by all of them, and by all parts of a
    batch. `numbers` stay on the host, where a look-up in what is kept waits for no device.
    """

    texts: Texts  # [K, T]
    numbers: Tensor  # [K] the same for equal texts of all tables: what is known of them need not be computed again
    members: Tensor  # [M, N, L] rows of `texts`, or -1
    entities: Tensor  # [M, N] or -1
    relations: Tensor  # [M, N]
    query: Tensor  # [B·D] row of the query's neighbourhood, or -1
    document: Tensor  # [B·D] row of the document's, or -1
    mass: Tensor  # [B·D] PageRank mass of the document's entity, 0 where either is not linked

    def _with(self, change: Callable[[Tensor], Tensor]) -> KnowledgeBatch:
        """The same of changed tensors, but for `numbers`."""
        names = ("members", "entities", "relations", "query", "document", "mass")
        tensors = {name: change(getattr(self, name)) for name in names}
        return replace(self, texts=self.texts.changed(change), **tensors)

    def to(self, device: torch.device) -> KnowledgeBatch:
        """The same on another device; on a GPU it is there for what is computed after it."""
        return self._with(lambda tensor: moved(tensor, device))

    def pin_memory(self) -> KnowledgeBatch:
        """The same in memory that a GPU can copy from by itself."""
        return self._with(Tensor.pin_memory)

    def rows(self, places: Tensor | slice) -> KnowledgeBatch:
        """The pairs at these places, with all that is shared: parts of a batch have it computed once."""
        return replace(self, query=self.query[places], document=self.document[places], mass=self.mass[places])


class Knowledge(Protocol):
    """Makes the table of a split's queries and documents."""

    def table(
        self, queries: Mapping[str, Query], documents: Mapping[str, Document], *, cache: str | None = None
    ) -> KnowledgeTable:
        """What is known of them; `cache` is a folder for what takes long to find out."""
        ...


def numbers_of(texts: Mapping[str, Document]) -> Ints:
    """A number of 64 bits for each text, `[R]`, the same wherever it stands.

    >>> one, other, again = numbers_of({name: Document(name, name[0], "kk") for name in ("a1", "b1", "a2")})
    >>> bool(one == again), bool(one == other)
    (True, False)
    """
    found = (hashlib.blake2b(record.text.encode("utf-8", "surrogatepass"), digest_size=8) for record in texts.values())
    return np.frombuffer(b"".join(digest.digest() for digest in found), np.int64)


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """A split's `KnowledgeTable` with its texts as tokens, and the part of it that a batch needs."""

    table: KnowledgeTable
    texts: TextAssembler
    numbers: Ints  # [R] of the table's texts

    @classmethod
    def of(
        cls,
        table: KnowledgeTable,
        tokenizer: PreTrainedTokenizerBase,
        *,
        length: int,
        name: str,
        cache: str | None = None,
    ) -> Neighbourhoods:
        """The table with its texts cut to `length` tokens, special ones included; `name` is the split's.

        Raises `ConfigError` for a length without room for a text.
        """
        tokens = tokenise(table.texts, tokenizer, name=f"{name} knowledge", cache=cache)
        numbers = numbers_of(table.texts)
        texts = TextAssembler(tokens, TextTemplate.of(tokenizer), length)
        return cls(replace(table, texts={}), texts, numbers)

    def batch(self, queries: Sequence[str], documents: Sequence[str]) -> KnowledgeBatch:
        """What is known of pairs of these queries and documents, B·D of each.

        Where none is linked, a text is there all the same: so every process of a training encodes some.
        """
        table = self.table
        query = _rows(table.queries, queries)
        document = _rows(table.documents, documents)

        # [M, N, L]: the neighbourhoods in use, as wide as the widest of them.
        used = np.unique(np.concatenate([query, document]))
        used = used[used >= 0]
        width = 1 + int(np.flatnonzero((table.entities[used] >= 0).any(axis=0)).max(initial=-1))
        members = table.members[used, :width]

        # [K]: the texts in use.
        rows = np.unique(members)
        rows = rows[rows >= 0]
        if not len(rows):
            rows = np.arange(min(1, len(self.numbers)))

        # All of it in the batch's own numbering.
        return KnowledgeBatch(
            self.texts.texts(rows),
            torch.from_numpy(self.numbers[rows]),
            torch.from_numpy(_places(rows, members)),
            torch.from_numpy(table.entities[used, :width]),
            torch.from_numpy(table.relations[used, :width]),
            torch.from_numpy(_places(used, query)),
            torch.from_numpy(_places(used, document)),
            torch.from_numpy(self._mass(query, document)),
        )

    def _mass(self, query: Ints, document: Ints) -> NDArray[np.float32]:
        """The mass of each pair's document, `[B·D]`."""
        mass = np.zeros(len(query), np.float32)
        linked = (query >= 0) & (document >= 0)
        if self.table.mass is not None and linked.any():
            mass[linked] = np.asarray(self.table.mass[query[linked], document[linked]]).ravel()
        return mass


def _rows(rows: Mapping[str, int], names: Sequence[str]) -> Ints:
    """The rows of names, -1 for one that has none."""
    return np.fromiter((rows.get(name, -1) for name in names), np.int64, len(names))


def _places(rows: Ints, wanted: Ints) -> Ints:
    """Where in the ascending `rows` each of `wanted` stands; -1 for -1."""
    return np.where(wanted < 0, -1, np.searchsorted(rows, wanted))
