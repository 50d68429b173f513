"""Encoding a corpus by a dual encoder, ours beside sentence-transformers: `python -m benchmarks.encoding`.

The encoder itself, mean pooling and E5's prefix; the collection's documents, at most 128 tokens each, in turns.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from benchmarks.material import collection, settings, untrained, write_rows
from benchmarks.turns import Found, ours, peers, ratios, spread, table, take_turns, write_part

REFERENCE = "sentence-transformers, fp32"
# Ours, and what it is compared with; precisions as each names them.
OURS = {"ours, fp32": ("32-true", REFERENCE), "ours, bf16": ("bf16-mixed", "sentence-transformers, bf16")}
PEERS = {REFERENCE: "float32", "sentence-transformers, bf16": "bfloat16"}


def main() -> None:
    """Make the model, take turns, compare the vectors, write."""
    parser = settings(__doc__)
    parser.add_argument("--documents", type=int, default=600)
    given = parser.parse_args()
    documents = collection(given.data).documents
    file = given.output / "encoding" / "documents.jsonl"
    chosen = list(documents)[: given.documents]
    write_rows([{"document": name, "texts": ["", documents[name].text]} for name in chosen], file)
    lengths = ("batches.query_length=64", "batches.document_length=128")
    model = untrained(given, "dual", "experiment=dual", *lengths)

    commands = {}
    for name, (precision, _) in OURS.items():
        own = ("--texts", "--load", f"precision={precision}", "--scores", vectors_file(given, name))
        commands[name] = ours("our_scoring", model, file, *own)
    for name, precision in PEERS.items():
        own = ("--texts", "--precision", precision, "--scores", vectors_file(given, name))
        commands[name] = peers("peer_scoring", given.encoder, file, *own)
    found = take_turns(commands, given.turns, given.output / "logs")
    told = f"{len(chosen)} documents; median of {given.turns} turns (lowest to highest)."
    columns = ["", "texts/s", "to sentence-transformers", "goal", "greatest difference of a number"]
    write_part(given.output, "encoding", "Encoding a corpus", [told, table(columns, measured(given, found))], found)


def vectors_file(given: argparse.Namespace, name: str) -> Path:
    """Where a competitor writes its vectors."""
    file = "".join(letter if letter.isalnum() else "_" for letter in name)
    output: Path = given.output
    return output.resolve() / "encoding" / f"{file}.npy"


def measured(given: argparse.Namespace, found: dict[str, Found]) -> list[list[str]]:
    """A row each."""
    true = np.load(vectors_file(given, REFERENCE)) if found[REFERENCE].turns else None
    rows = []
    for name, one in found.items():
        apart = ""
        if one.turns and true is not None:
            own = np.load(vectors_file(given, name))
            apart = f"{np.abs(own / np.linalg.norm(own, axis=1, keepdims=True) - true).max():.1e}"
        beside = [spread(ratios(one.rates, found[OURS[name][1]].rates), 2), "1.5"] if name in OURS else ["", ""]
        rows.append([name, spread(one.rates), *beside, apart])
    return rows


if __name__ == "__main__":
    main()
