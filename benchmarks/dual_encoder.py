"""sentence-transformers' bi-encoder beside ours: `python benchmarks/dual_encoder.py FOLDER ENCODER --output OUT`.

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
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.losses import MultipleNegativesRankingLoss
from sentence_transformers.models import Pooling, Transformer

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateLists
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


def triples(data: RankingDataModule, epochs: int, queries: int | None) -> Dataset:
    """The samples of every epoch end to end, in training order: a query, its positive and its negative."""
    split, documents = data.collection.split("train"), data.collection.documents
    rows: dict[str, list[str]] = {"anchor": [], "positive": [], "negative": []}
    for epoch in range(epochs):
        for sample in data.training.samples(epoch)[:queries]:
            positive, negative = sample.document_ids
            rows["anchor"].append(f"query: {split.queries[sample.query_id].text}")
            rows["positive"].append(f"passage: {documents[positive].text}")
            rows["negative"].append(f"passage: {documents[negative].text}")
    return Dataset.from_dict(rows)


def main() -> None:
    """Train, score, write."""
    given = settings()
    torch.manual_seed(given.seed)
    collection = read_clirmatrix(given.folder, query_language="zh", document_language="kk")
    sampling = SAMPLINGS[given.sampling]
    data = RankingDataModule(
        collection,
        PairBatches(),
        sampling=sampling,
        candidates=CandidateLists(depth=given.depth, test_queries=given.queries),
        seed=given.seed,
    )
    transformer = Transformer(given.encoder, max_seq_length=given.max_length)
    if given.dropout is not None:
        for part in transformer.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = given.dropout
    if given.frozen_embeddings:
        transformer.auto_model.embeddings.requires_grad_(False)
    width = transformer.auto_model.config.hidden_size
    model = SentenceTransformer(modules=[transformer, Pooling(width, pooling_mode="mean")])
    rows = triples(data, given.epochs, None if given.batches is None else given.batches * given.batch)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(given.output / "trainer"),
            num_train_epochs=1,  # the epochs stand one behind the other
            per_device_train_batch_size=given.batch,
            learning_rate=given.learning_rate,
            weight_decay=0.01,
            warmup_steps=0.1,  # a share
            seed=given.seed,
            bf16=given.bf16,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=rows,
        loss=MultipleNegativesRankingLoss(model, scale=1 / given.temperature),
    )
    start = time.perf_counter()
    trainer.train()
    trained = time.perf_counter() - start

    test = data.candidates["test"].run
    queries = list(test)
    documents = sorted({document for query in queries for document in test[query]})
    asked = model.encode(
        [f"query: {collection.split('test1').queries[query].text}" for query in queries], normalize_embeddings=True
    )
    found = model.encode(
        [f"passage: {collection.documents[document].text}" for document in documents], normalize_embeddings=True
    )
    places = {document: place for place, document in enumerate(documents)}
    scores = asked @ found.T
    run = Run(
        {
            query: {document: float(scores[row, places[document]]) for document in test[query]}
            for row, query in enumerate(queries)
        },
        name="sentence-transformers",
    )
    qrels = data.candidates["test"].qrels
    (given.output / "runs").mkdir(parents=True, exist_ok=True)
    write_run(run, given.output / "runs" / "test.trec")
    write_qrels(qrels, given.output / "runs" / "test.qrels")
    result = {**evaluate(run, qrels).means, "training_queries_per_second": len(rows) / trained}
    (given.output / "metrics.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
