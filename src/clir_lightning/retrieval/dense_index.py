"""Nearest vectors by FAISS: exact over the mapped file as it is, or by an approximate index; scores always exact."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.store.folders import build_once, fingerprint, read_manifest
from clir_lightning.errors import ConfigError, one_of
from clir_lightning.progress import stage
from clir_lightning.scoring.text_encoder import Vectors

INDEXES = ("flat", "ivf", "hnsw", "pq")

log = logging.getLogger(__name__)

SPARE = 16  # documents beyond the depth that FAISS is asked for
ROUNDING = 1e-5  # what single precision may shift a score by, as a share of the greatest
WIDEST = 32  # times the depth: how far a tie at the cut is followed

RowNumbers = NDArray[np.int64]  # of documents, -1 for none


class Search(Protocol):
    """The nearest rows of queries `[Q, P]`: their scores `[Q, k]` in FAISS's precision, and the rows, -1 for none."""

    def __call__(self, queries: Vectors, count: int) -> tuple[Vectors, RowNumbers]: ...  # noqa: D102


def faiss() -> Any:
    """The FAISS library; `ConfigError` names the extra that it comes with."""
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells which builds of itself it tries
    try:
        import faiss as library
    except ImportError:
        raise ConfigError("dense search needs FAISS: pip install 'clir-lightning[dense]'") from None
    return library


@dataclass(frozen=True)
class IndexSettings:
    """How vectors are found.

    Args:
        name: `flat`, every vector compared; `ivf`, those in the clusters nearest to the query; `hnsw`, a graph of
            neighbours (Malkov and Yashunin, 2020); `pq`, all by codes of few bytes (Jégou et al., 2011).
        lists: clusters of `ivf`; `None` for 4·√N.
        probes: clusters that a query looks into.
        links: neighbours of a vector in the graph of `hnsw`.
        breadth: vectors that a search in the graph keeps in sight.
        code_bytes: of a vector's code in `pq`; the vectors' size must be a multiple.
    """

    name: str = "flat"
    lists: int | None = None
    probes: int = 32
    links: int = 32
    breadth: int = 256
    code_bytes: int = 48

    def __post_init__(self) -> None:
        one_of(self.name, INDEXES, "index")

    def recipe(self, rows: int, width: int) -> str:
        """FAISS's own name for the index, for its `index_factory`."""
        if self.name == "ivf":
            lists = self.lists or max(1, min(round(4 * rows**0.5), rows // 39))  # FAISS wants 39 vectors per cluster
            return f"IVF{min(lists, rows)},Flat"
        if self.name == "hnsw":
            return f"HNSW{self.links},Flat"
        if width % self.code_bytes:
            raise ConfigError(f"code_bytes is {self.code_bytes}; allowed: divisors of the vectors' size, {width}")
        if rows < 256:
            raise ConfigError(f"index=pq learns 256 codes from the documents, there are {rows}; use index=flat")
        return f"PQ{self.code_bytes}"


def open_index(settings: IndexSettings, vectors: Vectors, *, key: str, cache: Path | None, of: str = "") -> Search:
    """The search over `vectors` `[N, P]`, whose content `key` stands for; an approximate index is kept in `cache`.

    `of` is what people are told that the vectors are of.
    """
    library = faiss()
    if settings.name == "flat":
        return lambda queries, count: library.knn(queries, vectors, count, library.METRIC_INNER_PRODUCT)
    recipe = settings.recipe(*vectors.shape)

    def build(folder: Path) -> dict[str, Any]:
        library.write_index(_built(library, recipe, vectors), str(folder / "index.faiss"))
        return {"kind": "index", "of": f"{of}; {recipe}", "recipe": recipe, "vectors": key}

    # The key and FAISS's version are in the folder's name: other vectors and another format are another index.
    if cache is None:
        index = _built(library, recipe, vectors)
    else:
        folder = build_once(cache / "indexes" / fingerprint([key, recipe, library.__version__]), build)
        read_manifest(folder)
        index = library.read_index(str(folder / "index.faiss"))

    # How hard to look is not part of what is stored.
    if settings.name == "ivf":
        index.nprobe = settings.probes
    if settings.name == "hnsw":
        index.hnsw.efSearch = settings.breadth

    def search(queries: Vectors, count: int) -> tuple[Vectors, RowNumbers]:
        scores, rows = index.search(queries, count)
        return scores, rows

    return search


def _built(library: Any, recipe: str, vectors: Vectors) -> Any:
    index = library.index_factory(vectors.shape[1], recipe, library.METRIC_INNER_PRODUCT)
    log.info("building %s over %d vectors", recipe, len(vectors))
    # An order of the codes for searches by Hamming distance, of which there are none here: seconds a byte of code.
    if recipe.startswith("PQ"):
        index.do_polysemous_training = False
    with stage(f"building {recipe}"):
        index.train(vectors)
        index.add(vectors)
    return index


def nearest(
    search: Search, vectors: Vectors, queries: Vectors, depth: int, *, exact: bool = True
) -> Iterator[tuple[RowNumbers, NDArray[np.float64]]]:
    """The rows and scores of each query's `depth` best documents, best first, equal scores by the lower row.

    FAISS proposes, the vectors decide: scores are computed again in double precision, so that a score depends on
    query and document alone and equal documents tie. Where `exact`, a cut amid scores that rounding could have
    swapped is moved on until it is clear of them, or `WIDEST` times the depth is reached, which the log says.

    >>> two = np.array([[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]], np.float32)
    >>> def search(queries, count):
    ...     scores = queries @ two.T
    ...     rows = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    ...     return np.take_along_axis(scores, rows, axis=1), rows
    >>> [(rows.tolist(), scores.tolist()) for rows, scores in nearest(search, two, two[:1], 2)]
    [([0, 2], [1.0, 1.0])]
    """
    depth = min(depth, len(vectors))
    count = min(depth + SPARE, len(vectors))
    blurred = 0

    # All queries in one search, [Q, count]; only those with an unclear cut are searched for again, one by one.
    with stage(f"searching for {len(queries):,} queries"):
        found = search(queries, count)
    for query, approximate, proposed in zip(queries, *found, strict=True):
        rows, scores = _scored(vectors, query, proposed)
        if exact and count < len(vectors) and _unclear(scores, approximate, depth):
            rows, scores, clear = _widened(search, vectors, query, (rows, scores), depth)
            blurred += not clear
        yield rows[:depth], scores[:depth]

    # Equal documents by the thousand: their order is that of the ids among those proposed alone.
    if blurred:
        log.warning("%d queries have more than %d documents of all but the same score", blurred, WIDEST * depth)


def _widened(
    search: Search,
    vectors: Vectors,
    query: Vectors,
    best: tuple[RowNumbers, NDArray[np.float64]],
    depth: int,
) -> tuple[RowNumbers, NDArray[np.float64], bool]:
    """The rows and scores `[n]` among ever more proposals, from `best` on, and whether the cut came clear at last."""
    rows, scores = best
    wide = len(rows)
    while wide < WIDEST * depth + SPARE:
        wide = min(2 * wide, len(vectors))
        [approximate], [proposed] = search(query[None], wide)
        rows, scores = _scored(vectors, query, proposed)
        if wide == len(vectors) or not _unclear(scores, approximate, depth):
            return rows, scores, True
    return rows, scores, False


def _scored(vectors: Vectors, query: Vectors, proposed: RowNumbers) -> tuple[RowNumbers, NDArray[np.float64]]:
    rows = np.sort(proposed[proposed >= 0])
    scores = (vectors[rows].astype(np.float64) * query).sum(axis=1)
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order]


def _unclear(scores: NDArray[np.float64], approximate: Vectors, depth: int) -> bool:
    """Whether a document that was not proposed could score as high as the last one kept."""
    border = approximate[-1] + ROUNDING * np.abs(approximate).max()
    return bool(scores[depth - 1] <= border)
