"""Worker: pairs a second of a trained model through `clir_lightning.load_model`, or texts a second that it encodes.

python -m benchmarks.our_scoring MODEL PAIRS --scores FILE [--texts] [--load precision=bf16-mixed …]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.material import read_pairs
from benchmarks.worker import peak, rate, serve

import clir_lightning
from clir_lightning.types import Document, Query, Run

WARM = 64  # pairs or texts before the first turn


def main() -> None:
    """Load, warm up, measure in turns; what was computed is kept in `--scores`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--load", nargs="*", default=[], help="options of load_model, name=value")
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--texts", action="store_true", help="encode the documents")
    given = parser.parse_args()
    rows = read_pairs(given.pairs)
    model = clir_lightning.load_model(given.model, **dict(option.split("=", 1) for option in given.load))
    work = Texts(model, rows) if given.texts else Pairs(model, rows)
    work(rows[:WARM])

    def measure() -> dict[str, Any]:
        speed = rate(len(rows), lambda: work(rows))
        np.save(given.scores, work.found)
        return {"rate": speed, "memory": peak()}

    serve(measure)


class Pairs:
    """Scores of pairs, in their order."""

    def __init__(self, model: Any, rows: list[dict[str, Any]]) -> None:
        self.model = model
        self.found = np.zeros(0)
        self.documents = {row["document"]: Document(row["document"], row["texts"][1], "kk") for row in rows}
        self.queries = {row["query"]: Query(row["query"], row["texts"][0], "zh") for row in rows}

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        """Score these pairs."""
        lists: dict[str, dict[str, float]] = {}
        for row in rows:
            lists.setdefault(row["query"], {})[row["document"]] = 0.0
        run = self.model.score(self.documents, self.queries, Run(lists))
        self.found = np.array([run[row["query"]][row["document"]] for row in rows])


class Texts:
    """Vectors of documents."""

    def __init__(self, model: Any, rows: list[dict[str, Any]]) -> None:
        self.model = model
        self.found = np.zeros(0)

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        """Encode the documents of these rows."""
        self.found = self.model.encode([row["texts"][1] for row in rows], "document")


if __name__ == "__main__":
    main()
