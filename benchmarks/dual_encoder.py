"""sentence-transformers' bi-encoder beside ours: `python -m benchmarks.dual_encoder FOLDER ENCODER --output OUT`.

`SentenceTransformerTrainer` with `MultipleNegativesRankingLoss` on the same collection (CLIRMatrix layout), encoder,
sampled triples, batches of the same size, epochs, cut of texts, prefixes, temperature, learning rate and warm-up as
`clir train experiment=dual`, whose other ingredients are its own; scores the same candidates and writes
`OUT/runs/test.trec` with its qrels, for `clir compare`, and `OUT/metrics.json` with training pairs/s. Needs the extra
`bench`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from benchmarks.material import dual_rows, training_data
from benchmarks.peer_training import dual_model, dual_trainer
from datasets import Dataset
from sentence_transformers import SentenceTransformer

from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import write_qrels, write_run
from clir_lightning.data.sampling.judged import BestAgainstRandom, Graded
from clir_lightning.data.sampling.sampling import Sampling
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.types import Run

# `sampling=` by the same names: every relevant document alike, every grade alike, the best alone.
SAMPLINGS: dict[str, Sampling] = {
    "relevant": Graded(positives="documents"),
    "graded": Graded(),
    "original": BestAgainstRandom(),
}


def settings() -> argparse.Namespace:
    """The command's settings, `experiment=dual`'s by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a collection in the CLIRMatrix layout")
    parser.add_argument("encoder", help="a Hugging Face name or folder")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--temperature", type=float, default=0.05)
    parser.add_argument("--sampling", choices=list(SAMPLINGS), default="relevant")
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=None, help="of the encoder; as its configuration by default")
    parser.add_argument("--frozen-embeddings", action="store_true", help="as encoder.frozen=0")
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--queries", type=int, default=None, help="of the test split; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batches", type=int, default=None, help="steps of an epoch; all by default")
    parser.add_argument("--bf16", action="store_true", help="as trainer.precision=auto where that is bfloat16")
    return parser.parse_args()


def main() -> None:
    """Train, score, write."""
    given = settings()
    torch.manual_seed(given.seed)

    # The same samples as `clir train` draws, all epochs end to end.
    collection = read_clirmatrix(given.folder, query_language="zh", document_language="kk")
    sampling = SAMPLINGS[given.sampling]
    data = training_data(collection, sampling, depth=given.depth, queries=given.queries, seed=given.seed)
    rows = Dataset.from_list(dual_rows(data, given.epochs, given.batches and given.batches * given.batch))

    # The encoder as the settings want it.
    model, transformer = dual_model(given.encoder, given.max_length)
    if given.dropout is not None:
        for part in transformer.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = given.dropout
    if given.frozen_embeddings:
        transformer.auto_model.embeddings.requires_grad_(False)

    # Train.
    options = {"batch": given.batch, "seed": given.seed, "bf16": given.bf16, "learning_rate": given.learning_rate}
    trainer = dual_trainer(model, rows, given.output, temperature=given.temperature, weight_decay=0.01, **options)
    start = time.perf_counter()
    trainer.train()
    trained = len(rows) / (time.perf_counter() - start)

    # Score and write.
    run, qrels = scored(model, data), data.candidates["test"].qrels
    (given.output / "runs").mkdir(parents=True, exist_ok=True)
    write_run(run, given.output / "runs" / "test.trec")
    write_qrels(qrels, given.output / "runs" / "test.qrels")
    result = {**evaluate(run, qrels).means, "training_queries_per_second": trained}
    (given.output / "metrics.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result))


def scored(model: SentenceTransformer, data: RankingDataModule) -> Run:
    """The cosines of the test candidates with their queries."""
    lists, texts = data.candidates["test"].run, data.collection.documents
    asked = data.collection.split("test1").queries
    documents = sorted({document for query in lists for document in lists[query]})
    queries = model.encode([f"query: {asked[query].text}" for query in lists], normalize_embeddings=True)
    found = model.encode([f"passage: {texts[document].text}" for document in documents], normalize_embeddings=True)

    # [Q, N] of all queries with all documents, of which each keeps its own.
    places = {document: place for place, document in enumerate(documents)}
    scores = queries @ found.T
    return Run(
        {
            query: {document: float(scores[row, places[document]]) for document in lists[query]}
            for row, query in enumerate(lists)
        },
        name="sentence-transformers",
    )


if __name__ == "__main__":
    main()
