"""sentence-transformers' cross-encoder beside ours: `python -m benchmarks.cross_encoder FOLDER ENCODER --output OUT`.

`CrossEncoderTrainer` on the same collection (CLIRMatrix layout), encoder, sampled pairs, epochs, pairs per step, cut of
texts, learning rate and warm-up as a `clir train` run; scores the same candidates and writes `OUT/runs/test.trec` with
its qrels, for `clir compare`, and `OUT/metrics.json` with training pairs/s. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from benchmarks.material import cross_rows, training_data
from benchmarks.peer_training import cross_trainer
from datasets import Dataset
from sentence_transformers.cross_encoder import CrossEncoder

from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import write_qrels, write_run
from clir_lightning.data.sampling.judged import BestAgainstRandom, Listwise
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.types import Run


def settings() -> argparse.Namespace:
    """The command's settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="a collection in the CLIRMatrix layout")
    parser.add_argument("encoder", help="a Hugging Face name or folder")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=2, help="a query; 2 for the original pairs, more for lists")
    parser.add_argument("--batches", type=int, default=50, help="steps of an epoch")
    parser.add_argument("--batch", type=int, default=64, help="pairs per step")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--queries", type=int, default=None, help="of the test split; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="as trainer.precision=auto where that is bfloat16")
    parser.add_argument("--frozen-embeddings", action="store_true", help="as encoder.frozen=0")
    return parser.parse_args()


def main() -> None:
    """Train, score, write."""
    given = settings()
    torch.manual_seed(given.seed)

    # The same pairs as `clir train` draws, all epochs end to end.
    collection = read_clirmatrix(given.folder, query_language="zh", document_language="kk")
    sampling: Sampling = BestAgainstRandom() if given.documents == 2 else Listwise(given.documents)
    data = training_data(collection, sampling, depth=given.depth, queries=given.queries, seed=given.seed)
    rows = Dataset.from_list(cross_rows(data, given.epochs, given.batches * given.batch // given.documents))

    # Train.
    model = CrossEncoder(given.encoder, num_labels=1, max_length=given.max_length)
    if given.frozen_embeddings:
        model.model.base_model.embeddings.requires_grad_(False)
    options = {"batch": given.batch, "seed": given.seed, "bf16": given.bf16, "learning_rate": given.learning_rate}
    trainer = cross_trainer(model, rows, given.output, **options)
    start = time.perf_counter()
    trainer.train()
    trained = len(rows) / (time.perf_counter() - start)

    # Score and write.
    start = time.perf_counter()
    run = scored(model, data, bf16=given.bf16)
    speed = sum(map(len, run.values())) / (time.perf_counter() - start)
    qrels = data.candidates["test"].qrels
    (given.output / "runs").mkdir(parents=True, exist_ok=True)
    write_run(run, given.output / "runs" / "test.trec")
    write_qrels(qrels, given.output / "runs" / "test.qrels")
    speeds = {"training_pairs_per_second": trained, "scoring_pairs_per_second": speed}
    result = {**evaluate(run, qrels).means, **speeds}
    (given.output / "metrics.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result))


def scored(model: CrossEncoder, data: RankingDataModule, *, bf16: bool) -> Run:
    """The model's scores of the test candidates."""
    lists, texts = data.candidates["test"].run, data.collection.documents
    queries = data.collection.split("test1").queries
    wanted = [(query, document) for query in lists for document in lists[query]]
    with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        scores = model.predict([(queries[q].text, texts[d].text) for q, d in wanted], batch_size=128)
    by_query: dict[str, dict[str, float]] = {}
    for (query, document), score in zip(wanted, scores.tolist(), strict=True):
        by_query.setdefault(query, {})[document] = score
    return Run(by_query, name="sentence-transformers")


if __name__ == "__main__":
    main()
