"""Personalised PageRank (Page et al. 1999): where walks that begin at an entity end, without learning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.adjacency import Triples
from clir_lightning.knowledge.graph import Graph

MEMORY = 1 << 24  # numbers in memory at a time: entities times walks
STEPS = 1000  # of a walk at most

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def transitions(triples: Triples, *, directed: bool = False) -> sp.csr_matrix:
    """The chances of a step, `[E, E]`, from a column's entity to a row's; the columns of dead ends are 0.

    A step goes to any neighbour with the same chance, however many statements lead there. Deprecated statements and
    those of an entity about itself lead nowhere; `directed` leaves out the way back from object to subject.
    """
    count = len(triples.ids)
    counted = (triples.ranks > 0) & (triples.subjects != triples.objects)
    start = triples.subjects[counted]
    end = triples.objects[counted]
    if not directed:
        ends = (start, end)
        start = np.concatenate(ends)
        end = np.concatenate(ends[::-1])

    # Sums of equal entries, then 1 for each: one edge between two entities.
    steps = sp.csr_matrix((np.ones(len(start)), (end, start)), shape=(count, count))
    steps.data[:] = 1.0
    degrees = np.asarray(steps.sum(axis=0)).ravel()
    chances = np.divide(1.0, degrees, out=np.zeros(count), where=degrees > 0)
    return sp.csr_matrix(steps @ sp.diags(chances))


def personalised(
    triples: Triples,
    seeds: Ints,
    wanted: Ints | None = None,
    *,
    damping: float = 0.85,
    directed: bool = False,
    tolerance: float = 1e-9,
) -> Floats:
    """The shares of walks from each seed that end at each wanted entity, `[S, W]`; over all entities they sum to 1.

    A walk goes on with a chance of `damping`, and begins anew at its seed otherwise and at a dead end; as
    `networkx.pagerank(graph, alpha=damping, personalization={seed: 1})`.

    Args:
        triples: the graph.
        seeds: `[S]` numbers of entities, places in `triples.ids`.
        wanted: `[W]` numbers; `None` for all.
        damping: from 0 to below 1.
        directed: whether a step may only go from subject to object.
        tolerance: what a step may still move, of a whole of 1, when the walk ends.
    """
    blocks = [block for _, block in masses(triples, seeds, wanted, damping, directed, tolerance)]
    width = len(triples.ids) if wanted is None else len(wanted)
    return np.concatenate([np.zeros((0, width)), *blocks])


def masses(
    triples: Triples,
    seeds: Ints,
    wanted: Ints | None = None,
    damping: float = 0.85,
    directed: bool = False,
    tolerance: float = 1e-9,
) -> Iterator[tuple[int, Floats]]:
    """`personalised`, some seeds at a time: the place of the first of them, and `[seeds, W]`."""
    if not 0 <= damping < 1:
        raise ConfigError(f"damping is {damping}; allowed: 0 to below 1")
    steps = transitions(triples, directed=directed)
    dead = np.asarray(steps.sum(axis=0)).ravel() == 0
    count = max(1, min(256, MEMORY // max(1, len(dead))))

    # Each walk begins with all its mass at its seed.
    for first in range(0, len(seeds), count):
        some = seeds[first : first + count]
        begun = np.zeros((len(dead), len(some)))
        begun[some, np.arange(len(some))] = 1.0
        mass = begun

        # A step at a time, until nothing moves.
        for _ in range(STEPS):
            # [E, seeds]: what goes on, and back at the seed what does not and what was at a dead end.
            moved = damping * (steps @ mass)
            moved[some, np.arange(len(some))] += damping * mass[dead].sum(axis=0) + 1 - damping
            change = np.abs(moved - mass).sum(axis=0).max()
            mass = moved
            if change <= tolerance:
                break
        yield first, (mass if wanted is None else mass[wanted]).T


def mass_between(
    graph: Graph, seeds: Sequence[str], wanted: Sequence[str], *, damping: float = 0.85, directed: bool = False
) -> Floats:
    """`personalised` by the entities' ids, `[S, W]`; `KeyError` for what is no entity of the graph."""
    found = []
    for entities in (seeds, wanted):
        numbers = graph.numbers(entities)
        for place in np.flatnonzero(numbers < 0).tolist():
            raise KeyError(entities[place])
        found.append(numbers)
    return personalised(graph.triples(), found[0], found[1], damping=damping, directed=directed)
