"""Scoring by a cross-encoder, ours beside what a user could pick instead: `python -m benchmarks.scoring`.

One model for all: the encoder with a head drawn by seed 1, or `--model`, a trained `architecture=cross` over an encoder
of BERT's family. The same pairs, at most 256 tokens each, from texts to scores, in turns.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Mapping
from pathlib import Path

import ir_measures
import numpy as np
from benchmarks.material import (
    as_sequence_classifier,
    collection,
    flops,
    lists,
    read_pairs,
    settings,
    untrained,
    write_pairs,
)
from benchmarks.turns import ROOT, Found, ours, peers, ratios, say, spread, table, take_turns, write_part
from ir_measures import nDCG
from numpy.typing import NDArray
from transformers import AutoConfig, AutoTokenizer

from clir_lightning.types import Run

Scores = NDArray[np.float32]

REFERENCE = "sentence-transformers, torch, fp32"
LIMITS = {"matrix products alone, fp32": "float32", "matrix products alone, bf16": "bfloat16"}
ORIGINAL = "the original's way, fp32"
# Options of `load_model`.
OURS = {"ours, fp32": ["precision=32-true"], "ours, bf16": ["precision=bf16-mixed"]}
PEERS = {
    REFERENCE: ("torch", "float32"),
    "sentence-transformers, ONNX, fp32": ("onnx", "float32"),
    "sentence-transformers, OpenVINO, fp32": ("openvino", "float32"),
    "sentence-transformers, torch, bf16": ("torch", "bfloat16"),
    "sentence-transformers, OpenVINO, bf16": ("openvino", "bfloat16"),
    "sentence-transformers, OpenVINO, int8": ("openvino_int8", "bfloat16"),
    ORIGINAL: ("original", "float32"),
}
# What each of ours is compared with, and by how many times it is to be faster.
GOALS = {
    "ours, fp32": (
        [REFERENCE, "sentence-transformers, ONNX, fp32", "sentence-transformers, OpenVINO, fp32"],
        "1.25, or .9 of the products",
    ),
    "ours, bf16": (["sentence-transformers, torch, bf16", "sentence-transformers, OpenVINO, bf16"], "1.2"),
    "ours, int8": (["sentence-transformers, OpenVINO, int8"], "1.2"),
}


def main() -> None:
    """Make the models, take turns, compare the scores, write."""
    parser = settings(__doc__)
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--depth", type=int, default=20, help="candidates of each query")
    parser.add_argument("--original", type=int, default=96, help="pairs a turn of the original's way, all equally long")
    parser.add_argument("--model", type=Path, help="a trained cross-encoder instead of the one with a random head")
    parser.add_argument("--only", nargs="+", help="competitors whose name holds one of these")
    given = parser.parse_args()

    # The pairs, the model twice, and how long the pairs are.
    data = collection(given.data)
    run = lists(data, given.queries, given.depth)
    file = given.output / "scoring" / "pairs.jsonl"
    write_pairs(data, run, file)
    model = given.model or untrained(given, "cross", "architecture=cross")
    peer = as_sequence_classifier(model, given.encoder, given.output / "scoring" / "peer")
    texts = [row["texts"] for row in read_pairs(file)]
    cut = AutoTokenizer.from_pretrained(given.encoder)(
        *map(list, zip(*texts, strict=True)), truncation="only_second", max_length=256
    )
    lengths = [len(row) for row in cut["input_ids"]]
    needed = flops(lengths, AutoConfig.from_pretrained(given.encoder))

    # The formats of the peers' back ends, and int8.
    say("exporting and quantising for the peers")
    subprocess.run(peers("peer_scoring", peer, file, "--prepare"), cwd=ROOT, check=False, capture_output=True)

    commands = competitors(given, model, peer, file, needed)
    found = take_turns(commands, given.turns, given.output / "logs")
    qrels = {query: dict(data.split("test1").qrels[query]) for query in run}
    told = f"{len(lengths)} pairs of {np.mean(lengths):.0f} tokens on average, {needed / 1e9:.2f} GFLOP a pair; median "
    told += f"of {given.turns} turns (lowest to highest). Scores beside those of {REFERENCE!r}."
    if given.model is None:
        told += " The head is random, so that scores hardly differ and NDCG@10 says nothing of half precision."
    rows = measured(given, found, run, qrels)
    columns = ["", "pairs/s", "greatest difference of a score", "NDCG@10", "difference"]
    blocks = [told, table(columns, rows), table(["", "ratio, turn by turn", "goal"], compared(found))]
    write_part(given.output, "scoring", "Scoring by a cross-encoder", blocks, found)


def scores_file(given: argparse.Namespace, name: str) -> Path:
    """Where a competitor writes its scores."""
    file = "".join(letter if letter.isalnum() else "_" for letter in name)
    output: Path = given.output
    return output.resolve() / "scoring" / f"{file}.npy"


def competitors(
    given: argparse.Namespace, model: Path, peer: Path, file: Path, needed: float
) -> Mapping[str, list[str]]:
    """The commands by name."""
    commands = {}
    for name, loaded in OURS.items():
        commands[name] = ours("our_scoring", model, file, "--load", *loaded, "--scores", scores_file(given, name))
    for name, (kind, precision) in PEERS.items():
        own = ["--kind", kind, "--precision", precision, "--scores", scores_file(given, name)]
        first = ["--first", given.original] if kind == "original" else []
        commands[name] = peers("peer_scoring", peer, file, *own, *first)
    for name, precision in LIMITS.items():
        commands[name] = ours("machine", "--encoder", given.encoder, "--limit", precision, "--flops", needed)
    wanted = given.only or [""]
    return {name: command for name, command in commands.items() if any(part in name for part in wanted)}


def measured(
    given: argparse.Namespace, found: Mapping[str, Found], run: Run, qrels: Mapping[str, Mapping[str, int]]
) -> list[list[str]]:
    """A row each: pairs/s, and how far its scores and their NDCG@10 lie from the reference's."""
    pairs = [(query, document) for query in run for document in run[query]]
    scores = {
        name: np.load(scores_file(given, name)).reshape(-1)
        for name, one in found.items()
        if one.turns and name not in LIMITS
    }
    true = scores.get(REFERENCE)
    best = None if true is None else ndcg(pairs, true, qrels)
    rows = []
    for name, one in found.items():
        cells = ["", "", ""]
        if name in scores:
            own = scores[name]
            apart = "" if true is None else f"{np.abs(own - true[: len(own)]).max():.1e}"
            value = ndcg(pairs, own, qrels) if len(own) == len(pairs) else None
            shown = "" if value is None else f"{value:.4f}"
            cells = [apart, shown, "" if value is None or best is None else f"{value - best:+.4f}"]
        rows.append([name, spread(one.rates), *cells])
    return rows


def ndcg(pairs: list[tuple[str, str]], scores: Scores, qrels: Mapping[str, Mapping[str, int]]) -> float:
    """NDCG@10 by ir_measures."""
    run: dict[str, dict[str, float]] = {}
    for (query, document), score in zip(pairs, scores.tolist(), strict=True):
        run.setdefault(query, {})[document] = score
    return float(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])


def compared(found: Mapping[str, Found]) -> list[list[str]]:
    """Ours against the fastest peer of the same precision, the machine's products and the original's way."""
    rows = []
    for name, (others, goal) in GOALS.items():
        there = [other for other in others if other in found and found[other].turns]
        if name in found and found[name].turns and there:
            fastest = max(there, key=lambda other: float(np.median(found[other].rates)))
            rows.append([f"{name} / {fastest}", spread(ratios(found[name].rates, found[fastest].rates), 2), goal])
    pairs = [("ours, fp32", "matrix products alone, fp32"), ("ours, bf16", "matrix products alone, bf16")]
    pairs += [(name, ORIGINAL) for name in OURS]
    for name, other in pairs:
        if name in found and other in found and found[name].turns and found[other].turns:
            goal = "5, the fastest of ours" if other == ORIGINAL else ""
            rows.append([f"{name} / {other}", spread(ratios(found[name].rates, found[other].rates), 2), goal])
    return rows


if __name__ == "__main__":
    main()
