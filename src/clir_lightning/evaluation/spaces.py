"""Vectors of queries and their candidates before and after centring and whitening: how they rank, and how they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import DataError
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.evaluation.geometry import Geometry, centred, geometry, told_apart, whitening
from clir_lightning.types import Qrels, Run


@dataclass(frozen=True)
class Encoded:
    """Unit vectors of a split's Q queries and their N candidates, and of training texts of both sides.

    Args:
        queries: `[Q, P]`, in the order of `lists`.
        documents: `[N, P]`, in the order of `ids`.
        lists: each query's candidates.
        ids: the candidates of all queries, each once.
        training: vectors `[M, P]` of a sample of each side.
    """

    queries: Tensor
    documents: Tensor
    lists: Run
    ids: list[str]
    training: Mapping[Side, Tensor]


@dataclass(frozen=True)
class Space:
    """Vectors after a change: their geometry and measures, cosines of positive and negative pairs.

    `spectrum` is each direction's share of the squared length, the greatest first.
    """

    name: str
    geometry: Geometry
    measures: Mapping[str, float]
    positives: NDArray[np.floating]
    negatives: NDArray[np.floating]
    spectrum: Sequence[float]


def views(encoded: Encoded) -> dict[str, tuple[Tensor, Tensor]]:
    """Queries and documents as they are, without each side's training mean, and whitened by the training texts."""
    query_mean = encoded.training["query"].mean(dim=0)
    document_mean = encoded.training["document"].mean(dim=0)
    white = whitening(torch.cat([encoded.training["query"] - query_mean, encoded.training["document"] - document_mean]))
    return {
        "as it is": (encoded.queries, encoded.documents),
        "centred": (centred(encoded.queries, query_mean), centred(encoded.documents, document_mean)),
        "whitened": (
            normalize((encoded.queries - query_mean) @ white),
            normalize((encoded.documents - document_mean) @ white),
        ),
    }


def spaces_of(encoded: Encoded, qrels: Qrels, measures: Sequence[str]) -> list[Space]:
    """Geometry and measures of each of the views. Raises `DataError` where no two candidates differ in grade."""
    # Pairs [n, 2] of a query's row and a document's, of a higher grade and of a lower one.
    query_rows = {query: row for row, query in enumerate(encoded.lists)}
    document_rows = {document: row for row, document in enumerate(encoded.ids)}
    lists = {query: list(encoded.lists[query]) for query in encoded.lists}
    positives, negatives = told_apart(lists, qrels, query_rows, document_rows)
    if not len(positives):
        raise DataError("no query of the split has candidates of different grades", cure="raise depth")

    # Each view of the vectors is judged by the same lists.
    judged = {query: qrels[query] for query in lists}
    spaces = []
    for name, (queries, documents) in views(encoded).items():
        # How they rank, by the cosines [Q, N] of all queries and documents.
        cosines = queries @ documents.T
        scores = {
            query: {document: float(cosines[query_rows[query], document_rows[document]]) for document in listed}
            for query, listed in lists.items()
        }
        means = evaluate(Run(scores, name=name), judged, measures).means

        # How they lie: the cosines of the pairs, and each direction's share of the variance.
        above, below = (cosines[pairs[:, 0], pairs[:, 1]].numpy() for pairs in (positives, negatives))
        shape = geometry(queries, documents, positives, negatives)
        spaces.append(Space(name, shape, means, above, below, spectrum(torch.cat([queries, documents]))))
    return spaces


def spectrum(vectors: Tensor) -> list[float]:
    """The share of the squared length of vectors `[N, P]` that lies in each of their directions, the greatest first.

    >>> [round(share, 2) for share in spectrum(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))]
    [0.9, 0.1]
    """
    squares = torch.linalg.svdvals(vectors.double()).square()
    shares: list[float] = (squares / squares.sum()).tolist()
    return shares
