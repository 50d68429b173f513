"""A run file of any other system: its measures, and whether it differs from ours.

    python examples/foreign_run.py their.trec

compares it with BM25 on the demo's test queries. Without a file it writes one of a system that has no idea: the
shortest documents first.
"""

from __future__ import annotations

import sys
from pathlib import Path

import clir_lightning as clir


def write_shortest_first(collection: clir.Collection, path: Path) -> Path:
    """What another system may have left: lines of `query Q0 document rank score name`."""
    documents = sorted(collection.documents.values(), key=lambda document: (len(document.text), document.id))[:100]
    with path.open("w", encoding="utf-8") as stream:
        for query in collection.split("test1").queries:
            for rank, document in enumerate(documents, start=1):
                stream.write(f"{query} Q0 {document.id} {rank} {1 / rank} shortest\n")
    return path


def main() -> None:
    """Evaluate, then compare."""
    collection = clir.load_collection("demo")
    qrels = collection.split("test1").qrels
    path = Path(sys.argv[1]) if sys.argv[1:] else write_shortest_first(collection, Path("shortest.trec"))

    # By itself: means over all judged queries, and what a reader should know of how run and judgements fit.
    theirs = clir.read_run(path)
    result = clir.evaluate(theirs, qrels, ["ndcg_10", "recall_100"])
    print({measure: round(value, 4) for measure, value in result.means.items()})
    print(*result.coverage.notes(), sep="\n")

    # Beside ours, with a paired test; several runs of a system, one per seed, would stand in a list.
    ours = clir.retrieve(collection, "test1", retriever="bm25s")
    print(clir.table(clir.compare({"BM25": ours, "theirs": theirs}, qrels, measures=["mrr_10", "ndcg_10"])))


if __name__ == "__main__":
    main()
