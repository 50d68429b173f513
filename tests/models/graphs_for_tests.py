"""Neighbourhoods made by hand or drawn, and the batches of pairs that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.data.batches.pairs import PairBatch
from models.fakes import texts

Member = tuple[int, int, int, int]  # entity, relation, and the token that is its text in each language, or -1
NONE: Member = (-1, 0, -1, -1)


def knowledge(
    neighbourhoods: Sequence[Sequence[Member]],
    pairs: Sequence[tuple[int, int]],
    mass: Sequence[float] | None = None,
    size: int | None = None,
) -> KnowledgeBatch:
    """Neighbourhoods as they are, filled up to `size` members, for pairs of rows of them, or -1."""
    width = size or max([1, *map(len, neighbourhoods)])
    filled = [[*members, *[NONE] * (width - len(members))] for members in neighbourhoods]
    table = torch.tensor(filled, dtype=torch.long).reshape(len(filled), width, 4)
    tokens = sorted({int(token) for token in table[..., 2:].flatten() if token >= 0})
    place = {-1: -1} | {token: row for row, token in enumerate(tokens)}
    members = table[..., 2:].clone().apply_(place.__getitem__)
    return KnowledgeBatch(
        replace(texts(*([token] for token in tokens or [1])), lengths=(1,) * max(1, len(tokens))),  # one at least
        torch.tensor(tokens or [1], dtype=torch.long),
        members,
        table[..., 0],
        table[..., 1],
        torch.tensor([query for query, _ in pairs]),
        torch.tensor([document for _, document in pairs]),
        torch.tensor(mass or [0.0] * len(pairs)),
    )


def drawn(seed: int, pairs: int = 12) -> KnowledgeBatch:
    """Six neighbourhoods of up to five of nine entities, which meet often, and pairs with and without them."""
    random = np.random.default_rng(seed)
    token: Mapping[int, tuple[int, int]] = {
        entity: (2 + 2 * entity if random.random() < 0.8 else -1, 3 + 2 * entity if random.random() < 0.8 else -1)
        for entity in range(9)
    }
    around = []
    for _ in range(6):
        found = random.integers(0, 9, random.integers(1, 6)).tolist()
        around.append(
            [(e, 0 if place == 0 else int(random.integers(1, 9)), *token[e]) for place, e in enumerate(found)]
        )
    rows = random.integers(-1, 6, (pairs, 2)).tolist()
    rows[0] = [-1, -1]
    return knowledge(around, [(query, document) for query, document in rows], random.random(pairs).tolist(), size=5)


def batch_of(known: KnowledgeBatch, first: int = 20) -> PairBatch:
    """A query per pair with one document, pairs of other tokens each, that are known to a graph."""
    pairs = len(known.query)
    ids = torch.tensor([[first + pair % 9, 3, 4] for pair in range(pairs)])
    return PairBatch(ids, torch.ones_like(ids), None, torch.zeros(pairs, 1), (), lengths=(3,) * pairs, knowledge=known)
