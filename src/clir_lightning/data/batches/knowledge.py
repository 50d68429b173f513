"""What a graph knows of a batch's queries and documents: their entities, neighbours and the texts of these.

`KnowledgeTable` holds it for all queries and documents of a split; `KnowledgeBatch` is a batch's part of it. An object
that makes the table (`Knowledge`) is a setting of `PairBatches`, so that training and every later scoring see the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from torch import Tensor

from clir_lightning.data.tokens.texts import Texts
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

    `query` and `document` have a row per pair; everything else is shared by all of them.
    """

    texts: Texts  # [K, T]
    numbers: Tensor  # [K] rows of the texts in `KnowledgeTable.texts`: what is known of them need not be computed again
    members: Tensor  # [M, N, L] rows of `texts`, or -1
    entities: Tensor  # [M, N] or -1
    relations: Tensor  # [M, N]
    query: Tensor  # [B·D] row of the query's neighbourhood, or -1
    document: Tensor  # [B·D] row of the document's, or -1
    mass: Tensor  # [B·D] PageRank mass of the document's entity, 0 where either is not linked


class Knowledge(Protocol):
    """Makes the table of a split's queries and documents."""

    def table(
        self, queries: Mapping[str, Query], documents: Mapping[str, Document], *, cache: str | None = None
    ) -> KnowledgeTable:
        """What is known of them; `cache` is a folder for what takes long to find out."""
        ...
