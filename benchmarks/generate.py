"""Writes a synthetic collection in the CLIRMatrix layout: `python benchmarks/generate.py FOLDER --documents 1000000`.

Documents of 100 Kazakh words, drawn by Zipf's law from the words of the demo; queries of three Chinese names with 100
graded documents each. The same seed writes the same files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from clir_lightning.data.sources.demo import build_demo


def generate(folder: Path, documents: int, queries: int, seed: int) -> None:
    """Write `kk.tsv` and one file of queries per split (dev and test1: 100 queries)."""
    folder.mkdir(parents=True, exist_ok=True)
    demo = build_demo()
    words = np.array(sorted({word for document in demo.documents.values() for word in document.text.split()}))
    names = np.array([query.text for query in demo.split("train").queries.values()])
    rng = np.random.default_rng(seed)
    rng.shuffle(words)
    chances = 1 / np.arange(1, len(words) + 1) ** 0.8
    chances /= chances.sum()
    with open(folder / "kk.tsv", "w", encoding="utf-8") as stream:
        for start in range(0, documents, 10_000):
            rows = rng.choice(words, (min(10_000, documents - start), 100), p=chances).tolist()
            stream.writelines(f"{start + i}\t{' '.join(row)}\n" for i, row in enumerate(rows))
    for split, count in (("train", queries), ("dev", 100), ("test1", 100)):
        with open(folder / f"zh.kk.{split}.base.jl", "w", encoding="utf-8") as stream:
            for query in range(count):
                judged = np.unique(rng.integers(0, documents, 120))[:100]
                rng.shuffle(judged)
                grades = sorted([6, *rng.integers(0, 6, 99).tolist()], reverse=True)
                results = [[str(i), g] for i, g in zip(judged.tolist(), grades, strict=False)]
                row = {"src_id": f"{split}{query}", "src_query": " ".join(rng.choice(names, 3)), "tgt_results": results}
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generate(arguments.folder, arguments.documents, arguments.queries, arguments.seed)
