"""The graphs that a graph network reads, one per pair, as one disjoint graph made by index arithmetic.

A pair's graph has S nodes in a fixed order, of which those that there is nothing for are absent: the pair itself; a
node per member of the query's neighbourhood and language; the same of the document's; and a sink. An entity that is a
member twice, of both neighbourhoods say, is one node per language, that of its first place.

Edges come in both directions and of these kinds: between an entity's languages; from the query's entity to the pair
and back; from the document's and back; along a statement, between nodes of one language. Equal edges are one. An edge
that does not exist, as one of its ends is absent, goes from the sink to the sink: the number of edges is the same for
all pairs, and no device is asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from clir_lightning.data.batches.knowledge import KnowledgeBatch
from clir_lightning.data.tokens.transfer import sent

Ints = NDArray[np.int64]
LANGUAGES, FROM_QUERY, TO_QUERY, FROM_DOCUMENT, TO_DOCUMENT, STATEMENT = range(6)  # kinds of edges


def kinds(relations: int) -> int:
    """How many kinds of edges there are where `relations` kinds of statements are told apart, or none (0)."""
    return STATEMENT + max(relations, 1)


class Template(NamedTuple):
    """The E edges that any pair's graph may have, by places of nodes; statements come last, E₂ of them."""

    sources: Ints  # [E]
    targets: Ints  # [E]
    kinds: Ints  # [E − E₂] of all but statements
    members: Ints  # [E₂] the member, 0 to 2N − 1, whose relation to the entity a statement is
    backward: Ints  # [E₂] 1 where the edge leads from the entity to the member


@lru_cache(maxsize=8)
def template(members: int, languages: int) -> Template:
    """The edges of neighbourhoods of N members with L languages each, without a pair's number.

    >>> template(1, 2).sources.tolist(), template(1, 2).targets.tolist()
    ([1, 2, 3, 4, 1, 2, 0, 0, 3, 4, 0, 0], [2, 1, 4, 3, 0, 0, 1, 2, 0, 0, 3, 4])
    """
    place = 1 + np.arange(2 * members * languages).reshape(2 * members, languages)
    query = place[0]
    document = place[members]
    pair = np.zeros(languages, np.int64)

    # An entity's node in each language with those in the others.
    one, other = np.nonzero(~np.eye(languages, dtype=bool))
    edges = [(place[:, one], place[:, other], LANGUAGES)]

    # The pair with both entities.
    edges += [(query, pair, FROM_QUERY), (pair, query, TO_QUERY)]
    edges += [(document, pair, FROM_DOCUMENT), (pair, document, TO_DOCUMENT)]
    numbers = np.concatenate([np.full(np.size(source), kind) for source, _, kind in edges])

    # Each neighbour with its entity, [2·(N − 1), L] places of either, there and back.
    around = np.delete(np.arange(2 * members), [0, members])
    neighbours = place[around]
    centres = place[np.where(around < members, 0, members)]
    edges += [(neighbours, centres, STATEMENT), (centres, neighbours, STATEMENT)]
    return Template(
        np.concatenate([np.ravel(source) for source, _, _ in edges]),
        np.concatenate([np.ravel(target) for _, target, _ in edges]),
        numbers,
        np.tile(np.repeat(around, languages), 2),
        np.repeat([0, 1], neighbours.size),
    )


@dataclass(frozen=True)
class Edges:
    """The edges of all graphs between n nodes, E_all of them, as torch-geometric takes them."""

    index: Tensor  # [2, E_all] from, to
    kinds: Tensor  # [E_all]
    nodes: int  # n


@dataclass(frozen=True)
class PairGraph:
    """The graphs of P pairs; node s of pair p is number p · S + s of all."""

    texts: Tensor  # [P, S] row of the text that a node stands for; -1 of a pair, of what is absent, of the sink
    centres: Tensor  # [P, 2, L] places of the query's entity and of the document's, perhaps absent
    linked: Tensor  # [P] whether either of them is
    edges: Edges


def pair_graph(knowledge: KnowledgeBatch, relations: int = 0) -> PairGraph:
    """The graphs of a batch's pairs; statements are told apart by their number modulo `relations`, or not at all (0).

    What stands behind a -1 in `knowledge` never enters.
    """
    sides = torch.stack([knowledge.query, knowledge.document], dim=1)
    members, languages = knowledge.members.shape[1:]
    device = sides.device

    # What is not linked has a neighbourhood of nothing, the last of M + 1: [P, 2N, L] texts, [P, 2N] the rest.
    linked = sides >= 0
    rows = torch.where(linked, sides, len(knowledge.members))
    texts = pad(knowledge.members, (0, 0, 0, 0, 0, 1), value=-1)[rows].flatten(1, 2)
    entities = pad(knowledge.entities, (0, 0, 0, 1), value=-1)[rows].flatten(1)
    numbers = pad(knowledge.relations, (0, 0, 0, 1))[rows].flatten(1)

    # The first place of each member's entity, [P, 2N], where alone it has nodes.
    own = torch.arange(2 * members, device=device)
    same = (entities[:, :, None] == entities[:, None, :]) & (entities >= 0)[:, :, None]
    first = (same | (own[:, None] == own)).byte().argmax(dim=2)
    texts = torch.where((first == own)[:, :, None], texts, -1).flatten(1)

    # The node in each place, [P, S]; that of the pair comes first, the sink last.
    nodes = 1 + first[:, :, None] * languages + torch.arange(languages, device=device)
    nodes = pad(nodes.flatten(1), (1, 0))
    centres = torch.stack([nodes[:, 1 : 1 + languages], nodes[:, 1 + members * languages :][:, :languages]], dim=1)
    return PairGraph(
        pad(texts, (1, 1), value=-1),
        centres,
        linked.any(dim=1),
        _edges(nodes, texts >= 0, numbers, template(members, languages), relations),
    )


def _edges(nodes: Tensor, present: Tensor, numbers: Tensor, edges: Template, relations: int) -> Edges:
    """Edges between `nodes` `[P, 1 + 2NL]`, of which members' are `present` `[P, 2NL]`; relations `[P, 2N]`."""
    pairs, sink = nodes.shape
    device = nodes.device
    there = pad(pad(present, (1, 0), value=True), (0, 1), value=False)

    # Both ends, and the kind, [P, E]. A relation's number is 1 + 2 · property + direction: seen from the other end,
    # the direction is the other one.
    sources = nodes[:, sent(edges.sources, device)]
    targets = nodes[:, sent(edges.targets, device)]
    seen = 1 + ((numbers[:, sent(edges.members, device)] - 1) ^ sent(edges.backward, device))
    statement = STATEMENT + (seen % relations if relations else torch.zeros_like(seen))
    kind = torch.cat([sent(edges.kinds, device).expand(pairs, -1), statement], dim=1)

    # An edge is there if both of its ends are, and for the first time; the order of sorting brings equal ones together.
    alive = there.gather(1, sources) & there.gather(1, targets) & (sources != targets)
    key = (sources * sink + targets) * kinds(relations) + kind
    ordered, order = torch.where(alive, key, -1).sort(dim=1, stable=True)
    again = pad(ordered[:, 1:] == ordered[:, :-1], (1, 0), value=False)
    alive = alive & ~torch.zeros_like(again).scatter(1, order, again)

    # [2, P·E] between the nodes of all graphs.
    ends = torch.where(alive, torch.stack([sources, targets]), sink)
    ends = ends + (torch.arange(pairs, device=device) * (sink + 1))[:, None]
    return Edges(ends.flatten(1), kind.flatten(), pairs * (sink + 1))
