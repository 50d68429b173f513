"""Search among stored vectors beside bare FAISS: `python benchmarks/dense.py FOLDER --rows 1000000`.

Random unit vectors, stored as `clir search` stores them; exact search through our index, through FAISS's own
`IndexFlatIP`, and by NumPy for a few queries, in turns. Needs the extra `dense`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from clir_lightning.retrieval.dense_index import IndexSettings, nearest, open_index
from clir_lightning.retrieval.vectors import stored_vectors
from clir_lightning.scoring.text_encoder import Vectors


def unit_vectors(rows: NDArray[np.int64], width: int) -> Vectors:
    """Unit vectors that the first row number decides."""
    vectors = np.random.default_rng(int(rows[0])).normal(size=(len(rows), width)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the vectors are kept")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--turns", type=int, default=7)
    given = parser.parse_args()
    place = given.folder / f"{given.rows}x{given.width}"
    storing = seconds(
        lambda: stored_vectors(place, given.rows, given.width, lambda rows: unit_vectors(rows, given.width))
    )
    vectors = stored_vectors(place, given.rows, given.width, lambda rows: unit_vectors(rows, given.width))
    queries = unit_vectors(np.arange(given.rows + 1, given.rows + 1 + given.queries), given.width)
    ours = open_index(IndexSettings(), vectors, key="", cache=None)
    bare = faiss.IndexFlatIP(given.width)
    adding = seconds(lambda: bare.add(vectors))
    found: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []

    def search() -> None:
        found[:] = nearest(ours, vectors, queries, given.depth)

    times: dict[str, list[float]] = {"ours": [], "faiss": []}
    for _ in range(given.turns):
        times["ours"].append(seconds(search))
        times["faiss"].append(seconds(lambda: bare.search(queries, given.depth)))
    for query, (rows, _) in list(zip(queries, found, strict=True))[:10]:
        scores = vectors @ query
        assert set(rows.tolist()) == set(np.argpartition(-scores, given.depth)[: given.depth].tolist())
    result = {
        "storing": round(storing, 1),
        "bare_add": round(adding, 2),
        **{name: [round(value, 2) for value in values] for name, values in times.items()},
        "ratio_of_medians": round(statistics.median(times["ours"]) / statistics.median(times["faiss"]), 3),
        "ratio_of_fastest": round(min(times["ours"]) / min(times["faiss"]), 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
