"""The PageRank mass between the entities of queries and those of documents, as a sparse table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from clir_lightning.knowledge.graph import Graph
from clir_lightning.knowledge.pagerank import masses
from clir_lightning.progress import Progress

LEAST = 1e-8  # a smaller share of the walks counts as none


def mass_table(graph: Graph, names: Sequence[str], seeds: Sequence[str], wanted: Sequence[str]) -> sp.csr_matrix:
    """The share of walks from each seed that end at each wanted entity (`pagerank.personalised`), `[E, E]`.

    `names` are the E entities in the order of rows and columns; seeds and wanted ones are among them.
    """
    places = {name: place for place, name in enumerate(names)}
    rows = np.asarray([places[name] for name in seeds], np.int64)
    columns = np.asarray([places[name] for name in wanted], np.int64)

    # A block of seeds at a time, of which what is not tiny stays.
    blocks = masses(graph.triples(), graph.numbers(seeds), graph.numbers(wanted))
    parts = [(np.zeros(0), rows[:0], columns[:0])]
    with Progress("walking the graph", "entities", len(seeds)) as progress:
        for first, block in blocks:
            row, column = np.nonzero(block >= LEAST)
            parts.append((block[row, column], rows[first + row], columns[column]))
            progress.advance(len(block))

    # [E, E] of all blocks together.
    values, from_rows, to_columns = (np.concatenate(list(part)) for part in zip(*parts, strict=True))
    return sp.csr_matrix((values.astype(np.float32), (from_rows, to_columns)), shape=(len(names), len(names)))
